-- The slot of idempotency keys that a time belongs to: each window has one of three in turn.
-- Lock: none. Inlined.
CREATE OR REPLACE FUNCTION sluice.key_slot(at timestamptz, key_window interval) RETURNS smallint
LANGUAGE sql STABLE
RETURN (floor(extract(epoch FROM at) / extract(epoch FROM key_window)) % 3)::smallint;
REVOKE ALL ON FUNCTION sluice.key_slot FROM PUBLIC;
