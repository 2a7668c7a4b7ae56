-- As span, of any topic, with the time of its last event. An ephemeral topic is always empty, up to
-- its last offset.
-- Lock: none. Inlined; three index looks.
CREATE OR REPLACE FUNCTION sluice.ends(topic int)
RETURNS TABLE (earliest bigint, latest bigint, purged_below bigint, ts timestamptz)
LANGUAGE sql STABLE ROWS 1
BEGIN ATOMIC
  SELECT CASE WHEN kept.ephemeral THEN coalesce(newest.off, 0) + 1 ELSE kept.earliest END,
    CASE WHEN kept.ephemeral THEN coalesce(newest.off, 0)
         ELSE greatest(newest.off, kept.earliest - 1) END,
    kept.purged_below, newest.ts
  FROM (SELECT t.ephemeral, t.purged_below,
          greatest(t.purged_below, (SELECT first_off FROM sluice.tail(topic))) AS earliest
        FROM sluice.topics t WHERE t.topic_id = topic AND t.deleted_at IS NULL) kept
  LEFT JOIN LATERAL (SELECT off, ts FROM sluice.head(topic) WHERE NOT kept.ephemeral
                     UNION ALL
                     SELECT off, ts FROM sluice.beat(topic) WHERE kept.ephemeral) newest ON true;
END;

-- The same in an incarnation; SL001 in another.
CREATE OR REPLACE FUNCTION sluice.ends(expected text, topic int)
RETURNS TABLE (earliest bigint, latest bigint, purged_below bigint, ts timestamptz)
LANGUAGE sql STABLE ROWS 1
BEGIN ATOMIC
  SELECT e.* FROM sluice.ends(topic) e
  WHERE EXISTS (SELECT FROM sluice.marker WHERE incarnation = expected AND born = xmin)
    OR sluice.refuse(expected);
END;
REVOKE ALL ON FUNCTION sluice.ends(int), sluice.ends(text, int) FROM PUBLIC;
