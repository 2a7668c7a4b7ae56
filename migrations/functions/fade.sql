-- Deletes rows of ephemeral topics that no listener can still want, but each topic's newest;
-- returns how many. Every 10 s or so.
-- Lock: none that anybody waits for. Cost: linear in the rows.
CREATE OR REPLACE FUNCTION sluice.fade(age interval DEFAULT '10 seconds') RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  gone bigint;
BEGIN
  DELETE FROM sluice.ephemera e USING sluice.topics t
    CROSS JOIN LATERAL sluice.beat(t.topic_id) newest
    WHERE t.ephemeral AND e.topic_id = t.topic_id
      AND (e.off < newest.off AND e.ts < clock_timestamp() - age OR t.deleted_at IS NOT NULL);
  GET DIAGNOSTICS gone = ROW_COUNT;
  RETURN gone;
END$$;
REVOKE ALL ON FUNCTION sluice.fade FROM PUBLIC;
