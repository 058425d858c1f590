-- What an account is at its provider, as hashes of normalised names, so that no user connects the same one twice. Accounts from
-- before have none until their user connects another; where two of them are the same, the older one gets the name.
CREATE TABLE account_identities (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    identity TEXT NOT NULL,
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    PRIMARY KEY (user_id, identity)
) STRICT;
CREATE INDEX account_identities_account ON account_identities (account_id);
