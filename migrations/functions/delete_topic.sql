-- Takes a topic's name away at once; retain() deletes its events later. Returns the catalog's
-- version; NULL: no such topic.
-- Lock: the catalog's row, then the topic's (4740, topic), so it waits for appends that run and no
-- append that saw the topic commits afterwards. Give it a lock_timeout.
CREATE OR REPLACE FUNCTION sluice.delete_topic(topic int) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  new_version bigint := sluice.next_version();
BEGIN
  PERFORM pg_advisory_xact_lock(4740, topic);
  UPDATE sluice.topics SET deleted_at = clock_timestamp(), version = new_version
    WHERE topic_id = topic AND deleted_at IS NULL;
  RETURN CASE WHEN FOUND THEN new_version END;
END$$;
REVOKE ALL ON FUNCTION sluice.delete_topic FROM PUBLIC;
