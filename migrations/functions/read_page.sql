-- A page after an offset, and both ends of the topic, all of one snapshot: what lies between
-- `after` and the first row, or earliest, is a gap: purged below purged_below, taken by retention
-- above. At least one row (off NULL) unless the topic is gone. SL001 in another incarnation.
--   bytes_max: bounds the page, but for its first event
-- Lock: none. Inlined; three index looks, and the rows of the page. Prepare it: planning it costs
-- five times what an empty page does.
CREATE OR REPLACE FUNCTION sluice.read_page(
  expected text, topic int, after bigint, rows_max int DEFAULT 1000,
  bytes_max bigint DEFAULT 4194304)
RETURNS TABLE (earliest bigint, latest bigint, purged_below bigint, off bigint, ts timestamptz,
  payload json, key text, event_id text, attributes json)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT page.earliest, page.latest, page.purged_below, e.off, e.ts, e.payload, e.key, e.event_id,
    e.attributes
  FROM (SELECT *, greatest(after + 1, earliest) AS start FROM sluice.span(topic)) page
  LEFT JOIN LATERAL (
    SELECT * FROM sluice.events v
    WHERE v.topic_id = topic AND v.off >= page.start AND v.off < page.start + rows_max
      AND v.cum <= bytes_max + coalesce((SELECT opening.cum FROM sluice.events opening
        WHERE opening.topic_id = topic AND opening.off = page.start), 0)
    ORDER BY v.off LIMIT rows_max) e ON true
  WHERE EXISTS (SELECT FROM sluice.marker WHERE incarnation = expected AND born = xmin)
    OR sluice.refuse(expected);
END;
REVOKE ALL ON FUNCTION sluice.read_page FROM PUBLIC;
