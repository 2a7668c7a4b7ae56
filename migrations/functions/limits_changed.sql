-- The triggers that have retention look at once where limits, a purge or a deletion changed what
-- is to go: at one topic, or at all when the defaults change. By whomever they are changed.
CREATE OR REPLACE FUNCTION sluice.limits_changed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_TABLE_NAME = 'settings' THEN
    INSERT INTO sluice.retention
      SELECT topic_id, clock_timestamp() FROM sluice.topics WHERE NOT ephemeral ORDER BY topic_id
      ON CONFLICT (topic_id) DO UPDATE SET due = excluded.due;
  ELSIF NOT NEW.ephemeral THEN
    INSERT INTO sluice.retention VALUES (NEW.topic_id, clock_timestamp())
      ON CONFLICT (topic_id) DO UPDATE SET due = excluded.due;
  END IF;
  RETURN NULL;
END$$;
REVOKE ALL ON FUNCTION sluice.limits_changed FROM PUBLIC;

CREATE OR REPLACE TRIGGER limits_changed
  AFTER UPDATE OF retain_age, retain_count, retain_bytes, purged_below, deleted_at ON sluice.topics
  FOR EACH ROW EXECUTE FUNCTION sluice.limits_changed();
CREATE OR REPLACE TRIGGER limits_changed
  AFTER UPDATE OF default_retain_age, default_retain_count, default_retain_bytes
  ON sluice.settings FOR EACH ROW EXECUTE FUNCTION sluice.limits_changed();
