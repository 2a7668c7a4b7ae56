-- The clock that events get their times from. SL001 in another incarnation.
-- Lock: none.
CREATE OR REPLACE FUNCTION sluice.clock(expected text) RETURNS timestamptz
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM sluice.marker WHERE incarnation = expected AND born = xmin) THEN
    PERFORM sluice.refuse(expected);
  END IF;
  RETURN clock_timestamp();
END$$;
REVOKE ALL ON FUNCTION sluice.clock FROM PUBLIC;
