-- Has retention look at every topic with a limit that it waits for no time at: a node that was
-- killed may have appended and not said so (make_due). Seldom; returns how many there are.
-- Lock: the rows of `retention`, in the order of the ids. Cost: reads topics once.
CREATE OR REPLACE FUNCTION sluice.review_retention() RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found_topics bigint;
BEGIN
  INSERT INTO sluice.retention AS known
    SELECT t.topic_id, clock_timestamp()
    FROM sluice.topics t CROSS JOIN sluice.settings s
      LEFT JOIN sluice.retention r ON r.topic_id = t.topic_id
    WHERE NOT t.ephemeral AND coalesce(r.due, 'infinity') = 'infinity' AND (
      coalesce(t.retain_age, s.default_retain_age, '-1 s') <> '-1 s'
      OR coalesce(t.retain_count, s.default_retain_count, -1) <> -1
      OR coalesce(t.retain_bytes, s.default_retain_bytes, -1) <> -1)
    ORDER BY t.topic_id
  ON CONFLICT (topic_id) DO UPDATE SET due = excluded.due;
  GET DIAGNOSTICS found_topics = ROW_COUNT;
  RETURN found_topics;
END$$;
REVOKE ALL ON FUNCTION sluice.review_retention FROM PUBLIC;
