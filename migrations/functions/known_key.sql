-- The row of a topic's idempotency key, if there is one.
-- Lock: none; whoever holds the topic's lock gets an answer that stays true. Inlined; one look into
-- each slot's index.
CREATE OR REPLACE FUNCTION sluice.known_key(topic int, wanted text) RETURNS SETOF sluice.keys
LANGUAGE sql STABLE ROWS 1
BEGIN ATOMIC
  SELECT * FROM sluice.keys
  WHERE hashtextextended(key, topic_id) = hashtextextended(wanted COLLATE "C", topic)
    AND topic_id = topic AND key = wanted LIMIT 1;
END;
REVOKE ALL ON FUNCTION sluice.known_key FROM PUBLIC;
