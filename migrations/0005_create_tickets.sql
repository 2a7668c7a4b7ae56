-- 0005: create the table of tickets, so that one from any node opens one request on any node. A new
-- table: nothing is locked.
--
-- Unlogged: a ticket lives 30 s, and after a crash or a failover its client gets another one. The
-- secret is not here: `hash` is SHA-256 of its text, as in tokens.
CREATE UNLOGGED TABLE sluice.tickets (
  hash       bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
  token_id   text COLLATE "C" NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX tickets_of_token ON sluice.tickets (token_id, expires_at);
CREATE INDEX tickets_by_end ON sluice.tickets (expires_at);
REVOKE ALL ON sluice.tickets FROM PUBLIC;
