-- Publishes changes of a table as events, through the outbox; one watch a table, and a partitioned
-- table is watched with its partitions, also with those to come. Only for tables whose owners are
-- trusted: the casts to json of their columns' types run with the rights of this schema's owner.
--   key_column: its value is the events' key;  columns: only these are told, and NULL means all
-- Lock: none if the table is watched like this already; otherwise the table against writers until
-- the commit. Writers queue behind who waits for it, so it is awaited for 2 s, unless the caller
-- has a lock_timeout of its own.
CREATE OR REPLACE FUNCTION sluice.watch_table(watched regclass, topic text,
  key_column name DEFAULT NULL, columns name[] DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  missing text;
  other regclass;
  arguments text[] := ARRAY[topic, coalesce(key_column, ''), coalesce(columns::text, '')];
  patience text := current_setting('lock_timeout');
  statement text;
BEGIN
  SELECT wanted INTO missing FROM unnest(columns || key_column) wanted
    WHERE wanted IS NOT NULL AND NOT EXISTS (SELECT FROM pg_attribute
      WHERE attrelid = watched AND attname = wanted AND attnum > 0 AND NOT attisdropped);
  IF FOUND THEN
    RAISE EXCEPTION 'table % has no column %', watched, missing USING ERRCODE = 'undefined_column';
  END IF;
  IF topic::sluice.topic_name IS NULL OR topic LIKE 'sluice.%' THEN
    RAISE EXCEPTION 'topic % cannot be published to', topic
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  SELECT t.tgrelid INTO other FROM (
      SELECT relid FROM pg_partition_ancestors(watched)
      UNION SELECT relid FROM pg_partition_tree(watched)) relative
    JOIN pg_trigger t ON t.tgrelid = relative.relid
    WHERE t.tgrelid <> watched AND t.tgfoid = 'sluice.watched'::regproc AND t.tgparentid = 0
    LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'of table % and its partitions, % is watched already', watched, other
      USING ERRCODE = 'object_not_in_prerequisite_state',
      HINT = format('SELECT sluice.unwatch_table(%L)', other);
  END IF;
  -- Arguments are kept each with a NUL behind it.
  IF 2 = (SELECT count(*) FILTER (WHERE tgenabled = 'O' AND tgargs = (
            SELECT string_agg(convert_to(a, getdatabaseencoding()) || '\x00', '' ORDER BY place)
            FROM unnest(arguments) WITH ORDINALITY u(a, place)))
          FROM pg_trigger WHERE tgrelid = watched AND tgfoid = 'sluice.watched'::regproc) THEN
    RETURN;
  END IF;
  IF patience = '0' THEN PERFORM set_config('lock_timeout', '2s', true); END IF;
  FOREACH statement IN ARRAY ARRAY[
    'sluice_watch AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW',
    'sluice_watch_truncate AFTER TRUNCATE ON %s'] LOOP
    EXECUTE format('CREATE OR REPLACE TRIGGER ' || statement
      || ' EXECUTE FUNCTION sluice.watched(%L, %L, %L)',
      watched, arguments[1], arguments[2], arguments[3]);
  END LOOP;
  -- Replacing leaves a trigger that was disabled as it was.
  EXECUTE format('ALTER TABLE %s ENABLE TRIGGER sluice_watch, ENABLE TRIGGER sluice_watch_truncate',
    watched);
  PERFORM set_config('lock_timeout', patience, true);
END$$;
REVOKE ALL ON FUNCTION sluice.watch_table FROM PUBLIC;
