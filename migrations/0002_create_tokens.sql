-- 0002: create the table of access tokens, so that nodes share them and a restart keeps them. A new table: nothing is locked.
-- The secret is not here: `hash` is SHA-256 of its text. A secret has 238 random bits, so a slow hash would protect nothing more.
CREATE TABLE sluice.tokens (
  id         text COLLATE "C" PRIMARY KEY CHECK (id ~ '^[0-9A-Za-z]{10}$'),
  name       text NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 200),
  hash       bytea NOT NULL CHECK (octet_length(hash) = 32),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamptz,
  revoked_at timestamptz
);
REVOKE ALL ON sluice.tokens FROM PUBLIC;
