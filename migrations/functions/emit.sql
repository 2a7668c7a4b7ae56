-- Publishes to ephemeral topics. Notifies 'incarnation topic offset event', or without the event
-- when that would be too long: then it is read from ephemera. SL001 in another incarnation.
--   topic_ids … attribute_sets: as for append
--   at, base: per topic, the events' time and the last offset before; NULL: an unknown topic
-- Lock: (4741, 4) shared, and (4740, topic) of each topic, until the commit. Cost: 140 us, and a row an event.
CREATE OR REPLACE FUNCTION sluice.emit(expected text, topic_ids int[], topic_indexes int[],
  positions int[], payloads json[], event_keys text[] DEFAULT NULL, event_ids text[] DEFAULT NULL,
  attribute_sets json[] DEFAULT NULL, OUT at timestamptz[], OUT base bigint[])
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
  is_current boolean;
  told int;
  clock timestamptz;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(4741, 4), pg_advisory_xact_lock(4740, id)
    FROM unnest(topic_ids) id;
  clock := clock_timestamp();
  SELECT array_agg(CASE WHEN t.topic_id IS NOT NULL THEN coalesce(newest.off, 0) END
                   ORDER BY place),
         array_agg(greatest(newest.ts, clock) ORDER BY place),
         EXISTS (SELECT FROM sluice.marker WHERE incarnation = expected AND born = xmin)
    INTO base, at, is_current
    FROM unnest(topic_ids) WITH ORDINALITY asked(id, place)
    LEFT JOIN sluice.topics t ON t.topic_id = asked.id AND t.deleted_at IS NULL AND t.ephemeral
    LEFT JOIN LATERAL sluice.beat(t.topic_id) newest ON true;
  IF NOT is_current THEN
    RAISE EXCEPTION 'the log is not in incarnation %', expected USING ERRCODE = 'SL001';
  END IF;
  WITH told_events AS MATERIALIZED (
    SELECT topic_ids[e.topic_index] AS topic, base[e.topic_index] + e.position AS off,
      at[e.topic_index] AS ts,
      concat('{"time":', to_json(at[e.topic_index]), ',"key":' || to_json(e.key),
        ',"event_id":' || to_json(e.event_id), ',"attributes":' || e.attributes,
        ',"data":', e.payload, '}') AS event
    FROM (SELECT unnest(topic_indexes) AS topic_index, unnest(positions) AS position,
            unnest(payloads) AS payload, unnest(event_keys) AS key, unnest(event_ids) AS event_id,
            unnest(attribute_sets) AS attributes) e
    WHERE base[e.topic_index] IS NOT NULL
  ), kept AS (
    INSERT INTO sluice.ephemera
      SELECT off, ts, topic, CASE WHEN octet_length(event) > 7900 THEN event::json END
      FROM told_events)
  SELECT count(pg_notify('sluice_ephemeral', concat_ws(' ', expected, topic, off,
      CASE WHEN octet_length(event) <= 7900 THEN event END)))
    INTO told FROM told_events;
END$$;
REVOKE ALL ON FUNCTION sluice.emit FROM PUBLIC;
