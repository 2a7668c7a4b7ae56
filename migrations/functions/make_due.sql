-- Has retention look at topics again. Called with topics that were appended to, some seconds after
-- the appends: an event in an empty topic becomes too old one day, one event more may be too many.
-- Of a topic with a limit by age alone that holds events already nothing changes.
-- Lock: the rows of `retention`, in the order of the ids. Cost: 5 us a topic.
CREATE OR REPLACE FUNCTION sluice.make_due(topics int[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
  INSERT INTO sluice.retention AS known
    SELECT t.topic_id, clock_timestamp()
    FROM sluice.topics t CROSS JOIN sluice.settings s
      LEFT JOIN sluice.retention r ON r.topic_id = t.topic_id
    WHERE t.topic_id = ANY (topics) AND NOT t.ephemeral AND (
      coalesce(t.retain_count, s.default_retain_count, -1) <> -1
      OR coalesce(t.retain_bytes, s.default_retain_bytes, -1) <> -1
      -- one that is looked at meanwhile is looked at again: its look may have missed the event
      OR coalesce(t.retain_age, s.default_retain_age, '-1 s') <> '-1 s'
        AND (r.due IS NULL OR r.due = 'infinity' OR r.due <= clock_timestamp()))
    ORDER BY t.topic_id
  ON CONFLICT (topic_id) DO UPDATE SET due = excluded.due
$$;
REVOKE ALL ON FUNCTION sluice.make_due FROM PUBLIC;
