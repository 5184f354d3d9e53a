/**
 * MTA-STS policies as fetched (RFC 8461 §3.3): kept, so that a restart does not give an attacker a first contact again. Needs schema
 * `ops`. `policy` is the text, at most 64 KB; instants are epoch ms.
 */
export const TLS_POLICY_TABLE = `
  CREATE TABLE ops.tls_policy (
    domain text PRIMARY KEY, id text NOT NULL, policy text NOT NULL, expires_at bigint NOT NULL, fetched_at bigint NOT NULL
  );`;
