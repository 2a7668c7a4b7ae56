-- Deletes rows of the journal and tombstones of topics older than `age`; returns how many of the
-- journal. Whoever asks for the outcome of a batch later than this gets a wrong answer, so at least
-- an hour.
-- Lock: none that anybody waits for. Cost: linear in what goes; two index looks a writer.
CREATE OR REPLACE FUNCTION sluice.forget(
  age interval DEFAULT '1 hour', topic_age interval DEFAULT '7 days') RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  current_writer bigint;    -- all of them in turn, downwards
  gone bigint := 0;
  gone_now bigint;
BEGIN
  LOOP
    SELECT max(writer) INTO current_writer FROM sluice.batches
      WHERE writer < coalesce(current_writer, 9223372036854775807);
    EXIT WHEN current_writer IS NULL;
    DELETE FROM sluice.batches WHERE writer = current_writer AND seq < coalesce(
      (SELECT seq FROM sluice.batches
       WHERE writer = current_writer AND at >= clock_timestamp() - age ORDER BY seq LIMIT 1),
      9223372036854775807);
    GET DIAGNOSTICS gone_now = ROW_COUNT;
    gone := gone + gone_now;
  END LOOP;
  DELETE FROM sluice.tails l USING sluice.topics t
    WHERE t.topic_id = l.topic_id AND t.deleted_at < clock_timestamp() - topic_age;
  DELETE FROM sluice.retention r USING sluice.topics t
    WHERE t.topic_id = r.topic_id AND t.deleted_at < clock_timestamp() - topic_age
      AND NOT EXISTS (SELECT FROM sluice.events WHERE topic_id = t.topic_id);
  DELETE FROM sluice.topics t WHERE deleted_at < clock_timestamp() - topic_age
    AND NOT EXISTS (SELECT FROM sluice.events WHERE topic_id = t.topic_id);
  RETURN gone;
END$$;
REVOKE ALL ON FUNCTION sluice.forget FROM PUBLIC;
