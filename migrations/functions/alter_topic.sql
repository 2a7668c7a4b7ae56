-- Changes settings of a topic and returns the catalog's version; NULL: no such topic.
--   changes: what to change; null = the default, "unlimited" for retain_*; absent = as it is
--   if_revision: SL006 when somebody changed them meanwhile
-- Unknown settings are 22023, bad values 23514, 22P02 or 22007.
-- Lock: the catalog's row.
CREATE OR REPLACE FUNCTION sluice.alter_topic(
  topic int, changes jsonb, if_revision int DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  new_version bigint := sluice.next_version();
  altered sluice.topics;
  unknown text;
BEGIN
  SELECT string_agg(setting, ', ') INTO unknown FROM jsonb_object_keys(changes) setting
    WHERE setting <> ALL
      ('{retain_age,retain_count,retain_bytes,event_bytes,overflow,description}');
  IF unknown IS NOT NULL THEN
    RAISE EXCEPTION 'a topic has no setting %', unknown USING ERRCODE = 'invalid_parameter_value',
      HINT = 'Settings are retain_age, retain_count, retain_bytes, event_bytes, overflow, '
        'description.';
  END IF;
  SELECT * INTO altered FROM sluice.topics WHERE topic_id = topic AND deleted_at IS NULL;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF altered.revision <> if_revision THEN
    RAISE EXCEPTION 'the settings of topic % have revision %, not %',
      altered.name, altered.revision, if_revision USING ERRCODE = 'SL006';
  END IF;
  SELECT jsonb_object_agg(setting, CASE
      WHEN setting = 'retain_age' AND value = '"unlimited"' THEN '"-1 s"'
      WHEN setting LIKE 'retain%' AND value = '"unlimited"' THEN '-1'
      WHEN setting = 'description' AND value = 'null' THEN '""'
      ELSE value END)
    INTO changes FROM jsonb_each(changes) change(setting, value);
  altered := jsonb_populate_record(altered, changes);
  UPDATE sluice.topics SET retain_age = altered.retain_age, retain_count = altered.retain_count,
      retain_bytes = altered.retain_bytes, event_bytes = altered.event_bytes,
      overflow = altered.overflow, description = altered.description,
      revision = revision + 1, version = new_version
    WHERE topic_id = topic;
  RETURN new_version;
END$$;
REVOKE ALL ON FUNCTION sluice.alter_topic FROM PUBLIC;
