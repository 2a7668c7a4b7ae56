-- Where a topic begins that a subscriber never saw, when it resumes with a mark (bound) of the
-- incarnation `consumed`: at the first event that was not committed then. What later incarnations
-- appended is new whatever its time: a promoted server's clock may be behind. All is new after an
-- incarnation that this log never heard of. Below `earliest` when what is new first is known to be
-- gone: that is a gap. An ephemeral topic has nothing old.
-- SL001 in another incarnation; NULL: no such topic.
-- Lock: none. Cost: the topic's ends; as offset_at if its last event is new.
CREATE OR REPLACE FUNCTION sluice.offset_as_of(
  expected text, topic int, consumed text, bound timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  first_new bigint;
BEGIN
  SELECT CASE WHEN t.ephemeral OR own.number IS NULL THEN e.earliest
              ELSE least(CASE WHEN t.created_at >= bound THEN 1
                              WHEN e.ts >= bound THEN sluice.offset_at(expected, topic, bound)
                              ELSE e.latest + 1 END,
                         CASE WHEN later.number IS NOT NULL THEN coalesce(f.off, 0) + 1 END) END
    INTO first_new FROM sluice.ends(expected, topic) e
    JOIN sluice.topics t ON t.topic_id = topic
    LEFT JOIN sluice.incarnations own ON own.incarnation = consumed
    LEFT JOIN LATERAL (SELECT number FROM sluice.incarnations i WHERE i.number > own.number
                       ORDER BY number LIMIT 1) later ON true
    LEFT JOIN sluice.forks f ON f.number = later.number AND f.topic_id = topic;
  RETURN first_new;
END$$;
REVOKE ALL ON FUNCTION sluice.offset_as_of FROM PUBLIC;
