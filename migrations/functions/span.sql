-- Of a durable topic and one snapshot: earliest and latest offset (latest = earliest - 1: empty),
-- and where the last purge ended: what is missing below it was purged, above it retention took it.
-- No row: no such topic.
-- Lock: none. Inlined; three index looks.
CREATE OR REPLACE FUNCTION sluice.span(topic int)
RETURNS TABLE (earliest bigint, latest bigint, purged_below bigint) LANGUAGE sql STABLE ROWS 1
BEGIN ATOMIC
  SELECT kept.earliest, greatest((SELECT off FROM sluice.head(topic)), kept.earliest - 1),
    kept.purged_below
  FROM (SELECT t.purged_below,
          greatest(t.purged_below, (SELECT first_off FROM sluice.tail(topic))) AS earliest
        FROM sluice.topics t WHERE t.topic_id = topic AND t.deleted_at IS NULL) kept;
END;
REVOKE ALL ON FUNCTION sluice.span FROM PUBLIC;
