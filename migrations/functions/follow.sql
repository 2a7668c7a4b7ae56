-- The journal above what is known, for followers. SL001 in another incarnation.
--   writers, seqs: what is known, parallel; a writer that is not named is read from its first row
--   rows_max: of each writer
-- Lock: none. Inlined; one index look a writer, and the new rows.
CREATE OR REPLACE FUNCTION sluice.follow(
  expected text, writers bigint[], seqs bigint[], rows_max int DEFAULT 1000)
RETURNS SETOF sluice.batches LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT b.* FROM sluice.newest() top
    LEFT JOIN unnest(writers, seqs) AS known(writer, seq) USING (writer)
    CROSS JOIN LATERAL (
      SELECT * FROM sluice.batches later
      WHERE later.writer = top.writer AND later.seq > coalesce(known.seq, -1)
      ORDER BY later.seq LIMIT rows_max) b
  WHERE top.seq > coalesce(known.seq, -1)
    AND (EXISTS (SELECT FROM sluice.marker WHERE incarnation = expected AND born = xmin)
      OR sluice.refuse(expected));
END;
REVOKE ALL ON FUNCTION sluice.follow FROM PUBLIC;
