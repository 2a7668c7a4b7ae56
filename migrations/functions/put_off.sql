-- Notes when retention has to look at a topic again; never, if `next` is NULL. Nothing changes when
-- somebody has asked for a look since `seen` was read. For a transaction of its own: it commits
-- without waiting for the disk.
CREATE OR REPLACE FUNCTION sluice.put_off(topic int, seen timestamptz, next timestamptz)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  -- Lost with a crash, it is found out again: its commit waits for no disk and no standby.
  PERFORM set_config('synchronous_commit', 'off', true);
  IF next IS NULL THEN
    DELETE FROM sluice.retention WHERE topic_id = topic AND due = seen;
  ELSIF seen IS NULL THEN
    INSERT INTO sluice.retention VALUES (topic, next) ON CONFLICT (topic_id) DO NOTHING;
  ELSIF seen <> next THEN
    UPDATE sluice.retention SET due = next WHERE topic_id = topic AND due = seen;
  END IF;
END$$;
REVOKE ALL ON FUNCTION sluice.put_off FROM PUBLIC;
