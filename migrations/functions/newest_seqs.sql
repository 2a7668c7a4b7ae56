-- Where a new node begins to follow: first this, then the heads, then follow() from here. SL001 in
-- another incarnation.
-- Lock: none. Inlined; one index look a writer.
CREATE OR REPLACE FUNCTION sluice.newest_seqs(expected text)
RETURNS TABLE (writer bigint, seq bigint) LANGUAGE sql STABLE ROWS 100
BEGIN ATOMIC
  SELECT writer, seq FROM sluice.newest()
  WHERE EXISTS (SELECT FROM sluice.marker WHERE incarnation = expected AND born = xmin)
    OR sluice.refuse(expected);
END;
REVOKE ALL ON FUNCTION sluice.newest_seqs FROM PUBLIC;
