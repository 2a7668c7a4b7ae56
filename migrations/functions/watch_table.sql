-- Publishes changes of a table as events, through the outbox; one watch a table. Only for tables
-- whose owners are trusted: the casts to json of their columns' types run with the rights of this
-- schema's owner.
--   key_column: its value is the events' key;  columns: only these are told, and NULL means all
-- Lock: the table against writers until the commit.
CREATE OR REPLACE FUNCTION sluice.watch_table(watched regclass, topic text,
  key_column name DEFAULT NULL, columns name[] DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  missing text;
  arguments text :=
    format('(%L, %L, %L)', topic, coalesce(key_column, ''), coalesce(columns::text, ''));
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
  PERFORM sluice.unwatch_table(watched);
  EXECUTE format('CREATE TRIGGER sluice_watch AFTER INSERT OR UPDATE OR DELETE ON %s '
    'FOR EACH ROW EXECUTE FUNCTION sluice.watched', watched) || arguments;
  EXECUTE format('CREATE TRIGGER sluice_watch_truncate AFTER TRUNCATE ON %s '
    'EXECUTE FUNCTION sluice.watched', watched) || arguments;
END$$;
REVOKE ALL ON FUNCTION sluice.watch_table FROM PUBLIC;
