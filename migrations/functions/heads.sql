-- The ends of many topics: a NOTIFY may be lost with its connection, and a journal row with
-- forget(). SL001 in another incarnation.
-- Lock: none. Inlined; three index looks a topic.
CREATE OR REPLACE FUNCTION sluice.heads(expected text, topics int[])
RETURNS TABLE (topic_id int, earliest bigint, latest bigint, purged_below bigint, ts timestamptz)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT asked.id, e.* FROM unnest(topics) asked(id) CROSS JOIN LATERAL sluice.ends(asked.id) e
  WHERE EXISTS (SELECT FROM sluice.marker WHERE incarnation = expected AND born = xmin)
    OR sluice.refuse(expected);
END;
REVOKE ALL ON FUNCTION sluice.heads FROM PUBLIC;
