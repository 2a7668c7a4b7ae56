-- A topic's newest row. Offsets and bytes go on from it.
-- Lock: none. Inlined, so it sees the caller's snapshot; a backward scan that ends at one row.
CREATE OR REPLACE FUNCTION sluice.head(topic int)
RETURNS TABLE (off bigint, cum bigint, ts timestamptz) LANGUAGE sql STABLE ROWS 1
BEGIN ATOMIC
  SELECT off, cum, ts FROM sluice.events WHERE topic_id = topic ORDER BY off DESC LIMIT 1;
END;
REVOKE ALL ON FUNCTION sluice.head FROM PUBLIC;
