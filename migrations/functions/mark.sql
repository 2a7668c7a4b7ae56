-- No event that is not committed yet will have a smaller time than this: append takes its time with
-- the topic's lock held, so not before its transaction began. Clock, locks, activity are read in
-- this order: whoever takes a lock later is later than the clock, and whoever let one go since has
-- committed. SL001 in another incarnation; 42501 when a transaction cannot be seen.
-- Lock: none, and it waits for nobody; but it stays behind as long as an append hangs. Call it in a
-- transaction of its own.
CREATE OR REPLACE FUNCTION sluice.mark(expected text, OUT bound timestamptz)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  pids int[];
  oldest timestamptz;
  hidden int;
BEGIN
  IF NOT EXISTS (SELECT FROM sluice.marker WHERE incarnation = expected AND born = xmin) THEN
    PERFORM sluice.refuse(expected);
  END IF;
  bound := clock_timestamp();
  pids := ARRAY(
    SELECT DISTINCT coalesce(l.pid, 0) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE datname = current_database() AND locktype = 'advisory' AND classid = 4740
      AND objsubid = 2);
  IF pids = '{}' THEN RETURN; END IF;
  IF 0 = ANY (pids) THEN
    RAISE EXCEPTION 'a prepared transaction holds the lock of a topic'
      USING ERRCODE = 'object_in_use', HINT = 'Finish it, see pg_prepared_xacts.';
  END IF;
  PERFORM pg_stat_clear_snapshot();
  SELECT min(xact_start), min(pid) FILTER (WHERE coalesce(state, 'disabled') = 'disabled')
    INTO oldest, hidden FROM pg_stat_activity WHERE pid = ANY (pids);
  IF hidden IS NOT NULL THEN
    RAISE EXCEPTION 'the transaction of process %, which appends, cannot be seen', hidden
      USING ERRCODE = 'insufficient_privilege',
        HINT = format('GRANT pg_read_all_stats TO %I, and leave track_activities on.',
          current_user);
  END IF;
  bound := least(bound, oldest);
END$$;
REVOKE ALL ON FUNCTION sluice.mark FROM PUBLIC;
