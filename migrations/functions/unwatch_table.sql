-- Ends what watch_table began; returns the triggers that went.
-- Lock: none if the table is not watched; otherwise the table exclusively until the commit, awaited
-- for 2 s, unless the caller has a lock_timeout of its own.
CREATE OR REPLACE FUNCTION sluice.unwatch_table(watched regclass) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  gone int := 0;
  name text;
  patience text := current_setting('lock_timeout');
BEGIN
  IF patience = '0' THEN PERFORM set_config('lock_timeout', '2s', true); END IF;
  FOR name IN SELECT tgname FROM pg_trigger
      WHERE tgrelid = watched AND tgfoid = 'sluice.watched'::regproc LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', name, watched);
    gone := gone + 1;
  END LOOP;
  PERFORM set_config('lock_timeout', patience, true);
  RETURN gone;
END$$;
REVOKE ALL ON FUNCTION sluice.unwatch_table FROM PUBLIC;
