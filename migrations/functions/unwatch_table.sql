-- Ends what watch_table began; returns the triggers that went.
-- Lock: the table exclusively until the commit.
CREATE OR REPLACE FUNCTION sluice.unwatch_table(watched regclass) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  gone int := 0;
  name text;
BEGIN
  FOR name IN SELECT tgname FROM pg_trigger
      WHERE tgrelid = watched AND tgfoid = 'sluice.watched'::regproc LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', name, watched);
    gone := gone + 1;
  END LOOP;
  RETURN gone;
END$$;
REVOKE ALL ON FUNCTION sluice.unwatch_table FROM PUBLIC;
