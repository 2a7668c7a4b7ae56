-- Each writer's newest seq in the journal.
-- Lock: none. Inlined; a loose scan downwards, which meets a writer's newest row first and never
-- the dead ones that a purge left: one index look a writer.
CREATE OR REPLACE FUNCTION sluice.newest() RETURNS TABLE (writer bigint, seq bigint)
LANGUAGE sql STABLE ROWS 100
BEGIN ATOMIC
  WITH RECURSIVE newest AS (
    (SELECT writer, seq FROM sluice.batches ORDER BY writer DESC, seq DESC LIMIT 1)
    UNION ALL
    SELECT lower.writer, lower.seq FROM newest CROSS JOIN LATERAL (
      SELECT b.writer, b.seq FROM sluice.batches b WHERE b.writer < newest.writer
      ORDER BY b.writer DESC, b.seq DESC LIMIT 1) lower)
  SELECT writer, seq FROM newest;
END;
REVOKE ALL ON FUNCTION sluice.newest FROM PUBLIC;
