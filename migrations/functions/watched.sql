-- The trigger of watch_table: {"op","old","new","table","at"} through the outbox. Row triggers: for
-- statements that touch one row they cost half of what transition tables do (for thousands, twice
-- as much).
-- A change of a partition is told as one of the table that is watched.
-- Lock: none, and no NOTIFY. Cost: 70 us a statement of one row, 40 us a row in bulk, and a look at
-- the catalog for each row of a partition.
CREATE OR REPLACE FUNCTION sluice.watched() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  transaction xid8 := pg_current_xact_id();
  columns text[] := nullif(TG_ARGV[2], '');
  before json;
  after json;
  event_key text;
  schema_name name := TG_TABLE_SCHEMA;
  table_name name := TG_TABLE_NAME;
BEGIN
  IF TG_LEVEL = 'ROW' AND pg_partition_root(TG_RELID::regclass) IS NOT NULL THEN
    -- The trigger of a partition is a copy.
    SELECT n.nspname, c.relname INTO STRICT schema_name, table_name
      FROM pg_partition_ancestors(TG_RELID::regclass) a
      JOIN pg_trigger t ON t.tgrelid = a.relid
      JOIN pg_class c ON c.oid = a.relid
      JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE t.tgname = TG_NAME AND t.tgparentid = 0;
  END IF;
  IF TG_OP IN ('UPDATE', 'DELETE') THEN before := to_json(OLD); END IF;
  IF TG_OP IN ('UPDATE', 'INSERT') THEN after := to_json(NEW); END IF;
  event_key := coalesce(after, before)->>TG_ARGV[1];
  -- Never fail the user's statement.
  IF octet_length(event_key) > 500 THEN event_key := 'md5:' || md5(event_key); END IF;
  IF columns IS NOT NULL THEN
    before := (SELECT json_object_agg(e.key, value) FROM json_each(before) e
               WHERE e.key = ANY (columns));
    after := (SELECT json_object_agg(e.key, value) FROM json_each(after) e
              WHERE e.key = ANY (columns));
  END IF;
  -- What changes nothing that is watched is no event.
  IF TG_OP <> 'UPDATE' OR before::text <> after::text THEN
    INSERT INTO sluice.outbox(tx, topic, payload, key)
      VALUES (transaction, TG_ARGV[0], json_build_object('op', lower(TG_OP), 'old', before,
        'new', after, 'table', format('%I.%I', schema_name, table_name),
        'at', clock_timestamp()), event_key);
  END IF;
  RETURN NULL;
END$$;
REVOKE ALL ON FUNCTION sluice.watched FROM PUBLIC;
