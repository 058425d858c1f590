-- What an account is at its provider, as hashes of normalised names, so that no user connects the same one twice. Accounts from
-- before have none until their user connects another; where two of them are the same, the older one gets the name.
CREATE TABLE account_identities (
    user_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    identity text NOT NULL,
    account_id uuid NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    PRIMARY KEY (user_id, identity)
);
CREATE INDEX account_identities_account ON account_identities (account_id);
ALTER TABLE account_identities ENABLE ROW LEVEL SECURITY;
ALTER TABLE account_identities FORCE ROW LEVEL SECURITY;
CREATE POLICY spaces ON account_identities USING (EXISTS (SELECT 1 FROM accounts a WHERE a.id = account_id));
