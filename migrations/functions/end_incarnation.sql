-- Begins another incarnation behind this one; for a node that saw the clock fall, so that marks of
-- before hold: what comes is new whatever its time, and nobody is reset, as nothing is lost. False
-- when it has ended already, as another node saw the same.
-- Lock: (4741, 1) and (4741, 4): it waits 300 ms for appends that run, as new ones wait behind it;
-- 55P03: try again. Cost: as incarnation.
CREATE OR REPLACE FUNCTION sluice.end_incarnation(ended text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(4741, 1);
  IF NOT EXISTS (SELECT FROM sluice.marker WHERE incarnation = ended AND born = xmin) THEN
    RETURN false;
  END IF;
  PERFORM set_config('lock_timeout', '300ms', true);
  PERFORM sluice.incarnation(anew => true);
  RETURN true;
END$$;
REVOKE ALL ON FUNCTION sluice.end_incarnation FROM PUBLIC;
