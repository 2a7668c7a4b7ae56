-- Readers skip everything below `before` from the commit on; retain() deletes it. Never goes back.
-- Returns the earliest offset; NULL: no such topic.
-- Lock: the catalog's row.
CREATE OR REPLACE FUNCTION sluice.purge(topic int, before bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  new_version bigint := sluice.next_version();
  earliest bigint;
BEGIN
  UPDATE sluice.topics t SET version = new_version,
      purged_below = greatest(t.purged_below, least(before, kept.latest + 1))
    FROM sluice.span(topic) kept WHERE t.topic_id = topic AND t.deleted_at IS NULL
    RETURNING t.purged_below INTO earliest;
  RETURN earliest;
END$$;
REVOKE ALL ON FUNCTION sluice.purge FROM PUBLIC;
