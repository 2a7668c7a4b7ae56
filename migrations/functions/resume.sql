-- May a subscriber that consumed `after` in incarnation `consumed` go on? Only if no incarnation
-- since began below that offset. Otherwise: reset, and data after `fork`. An unknown incarnation
-- (another branch of history) starts from nothing. An ephemeral topic goes on in the same
-- incarnation only, and what was missed is a gap. SL001 in another incarnation; NULLs: no topic.
-- Lock: none. Cost: the topic's ends, and one index look an incarnation since.
CREATE OR REPLACE FUNCTION sluice.resume(
  expected text, topic int, consumed text, after bigint, OUT goes_on boolean, OUT fork bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  SELECT after <= lowest.fork AND (consumed = expected
           OR NOT (SELECT ephemeral FROM sluice.topics WHERE topic_id = topic)),
         least(after, lowest.fork)
  INTO goes_on, fork FROM (
    SELECT least(e.latest, min(CASE WHEN later.number IS NOT NULL THEN coalesce(f.off, 0) END),
                 CASE WHEN count(own.number) = 0 THEN 0 END) AS fork
    FROM sluice.ends(expected, topic) e
    LEFT JOIN sluice.incarnations own ON own.incarnation = consumed
    LEFT JOIN sluice.incarnations later ON later.number > own.number
    LEFT JOIN sluice.forks f ON f.number = later.number AND f.topic_id = topic
    GROUP BY e.latest) lowest;
END$$;
REVOKE ALL ON FUNCTION sluice.resume FROM PUBLIC;
