-- A topic's oldest offset that retention left, and the bytes below it; no row: retention took none.
-- Lock: none. Inlined; a backward scan that ends at one row.
CREATE OR REPLACE FUNCTION sluice.tail(topic int)
RETURNS TABLE (first_off bigint, cum bigint) LANGUAGE sql STABLE ROWS 1
BEGIN ATOMIC
  SELECT first_off, cum FROM sluice.tails WHERE topic_id = topic ORDER BY first_off DESC LIMIT 1;
END;
REVOKE ALL ON FUNCTION sluice.tail FROM PUBLIC;
