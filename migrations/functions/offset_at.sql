-- The first offset whose time is not before `at`. SL001 in another incarnation.
-- Lock: none. Cost: a binary search, possible because offsets are dense and time never falls.
CREATE OR REPLACE FUNCTION sluice.offset_at(expected text, topic int, at timestamptz)
RETURNS bigint LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  low bigint;
  high bigint;
  middle bigint;
  middle_ts timestamptz;
BEGIN
  IF NOT EXISTS (SELECT FROM sluice.marker WHERE incarnation = expected AND born = xmin) THEN
    PERFORM sluice.refuse(expected);
  END IF;
  SELECT earliest, latest + 1 INTO low, high FROM sluice.span(topic);
  WHILE low < high LOOP
    middle := (low + high) / 2;
    SELECT ts INTO middle_ts FROM sluice.events WHERE topic_id = topic AND off = middle;
    IF middle_ts IS NULL OR middle_ts < at THEN low := middle + 1; ELSE high := middle; END IF;
  END LOOP;
  RETURN low;
END$$;
REVOKE ALL ON FUNCTION sluice.offset_at FROM PUBLIC;
