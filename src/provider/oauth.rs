//! OAuth 2.0 as a client: consent, exchange, refresh, revocation.
