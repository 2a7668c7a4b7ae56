-- The newest row of an ephemeral topic in this incarnation.
-- Lock: none. Inlined; a backward scan that ends at one row.
CREATE OR REPLACE FUNCTION sluice.beat(topic int)
RETURNS TABLE (off bigint, ts timestamptz) LANGUAGE sql STABLE ROWS 1
BEGIN ATOMIC
  SELECT off, ts FROM sluice.ephemera WHERE topic_id = topic ORDER BY off DESC LIMIT 1;
END;
REVOKE ALL ON FUNCTION sluice.beat FROM PUBLIC;
