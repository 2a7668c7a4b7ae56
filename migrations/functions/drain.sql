-- Moves committed rows of the outbox into the log, by id, as writer 0 of the journal. SL001 in
-- another incarnation.
--   state: NULL at first, then what the last call returned, on whichever node
--   rows_max: of a step, as of the outbox, so of the rows that wait; 4 MiB of each at most
--   moved: rows that left the outbox, `dead` of them to outbox_dead;  more: call again at once
--   seq, parts, at: of the journal's row, if events were appended
--   waiting: rows that were put aside, because their topic was locked
--
-- state is 'incarnation snapshot high next'. It means: of the rows up to `high`, everything that
-- `snapshot` saw has left the outbox, and the transactions behind all of them are older than
-- `next`. So there remain rows above `high`, and rows of transactions that the snapshot saw
-- running: those in its xip, and those from its xmax to `next`. Nothing that was moved is met
-- again, though an old snapshot keeps it as dead rows, nor the rows of a long transaction while it
-- runs.
--
-- A topic that is locked (an append that hangs, a deletion that waits for it) holds up nobody else:
-- its rows go to outbox_waiting, and every later row of the topic behind them, until the lock is
-- free. So do rows that name a topic which cannot be created now, because the catalog is locked.
--
-- Events of ephemeral topics are told by emit() in the same transaction; then, and only then, the
-- commit holds the lock of NOTIFY while it is flushed.
--
-- An event_id is the idempotency key 'e:' || event_id. Its digest is the first 16 bytes of SHA-256
-- of the data; of data 00 key 00 00 untraced(attributes), when there is either.
--
-- Lock: (4741, 2), (4741, 4) shared as in append, the catalog's row and (4740, topic) of each topic,
-- all of them tried only, so it waits for nobody; whoever does not get the first two has its state
-- back. Cost: 15 us a row; with nothing to do 60 us, 120 us while other transactions write, and no
-- transaction number is used.
CREATE OR REPLACE FUNCTION sluice.drain(expected text, INOUT state text,
  rows_max int DEFAULT 2000, OUT moved int, OUT dead int, OUT more boolean, OUT seq bigint,
  OUT parts text, OUT at timestamptz, OUT waiting int)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
  bytes_max CONSTANT int := 4194304;
  -- the state
  seen pg_snapshot;
  high bigint := 0;
  next_xid xid8;
  new_seen pg_snapshot;
  new_high bigint;
  newest_id bigint;
  -- what is taken
  settings sluice.settings;
  fresh sluice.outbox[];           -- from the outbox
  waited sluice.outbox[];          -- from the rows that wait
  taken sluice.outbox[];
  names text[];                    -- of topics that have rows
  waiting_names text[];
  free_topics int[];               -- whose lock we have
  open_names text[];               -- whose rows may leave
  blocked_names text[];            -- that still have waiting rows
  -- what is appended
  reasons text[];                  -- why a row cannot be; NULL: it can
  sources int[];                   -- the row of an event
  topic_ids int[];
  counts int[];
  topic_indexes int[];
  positions int[];
  running_bytes bigint[];
  payloads json[];
  event_keys text[];
  event_ids text[];
  attribute_sets json[];
  guards int[];
  guard_keys text[];
  guard_digests bytea[];
  has_ephemeral boolean;
  appended sluice.batches;
BEGIN
  moved := 0;
  dead := 0;
  more := false;
  waiting := 0;
  IF NOT (pg_try_advisory_xact_lock(4741, 2) AND pg_try_advisory_xact_lock_shared(4741, 4)) THEN
    RETURN;
  END IF;
  IF split_part(state, ' ', 1) = expected THEN
    seen := split_part(state, ' ', 2);
    high := split_part(state, ' ', 3);
    next_xid := split_part(state, ' ', 4);
  END IF;
  SELECT CASE WHEN is_called THEN last_value ELSE 0 END INTO newest_id FROM sluice.outbox_id_seq;
  -- The usual poll: no new id, and nobody ran who could have one up to `high`.
  IF newest_id = high AND pg_snapshot_xmin(seen) = pg_snapshot_xmax(seen)
    AND next_xid <= pg_snapshot_xmax(seen)
    AND NOT EXISTS (SELECT FROM sluice.outbox_waiting) THEN RETURN;
  END IF;
  WITH found AS (
    SELECT late.* FROM pg_snapshot_xip(seen) running CROSS JOIN LATERAL (
      SELECT ctid AS place, id, bytes FROM sluice.outbox WHERE tx = running AND id <= high
      ORDER BY id LIMIT rows_max) late
    WHERE pg_visible_in_snapshot(running, pg_current_snapshot())
    UNION ALL
    SELECT ctid, id, bytes FROM sluice.outbox
    WHERE tx >= pg_snapshot_xmax(seen) AND tx < next_xid
      AND id + 0 <= high                            -- + 0: found by tx
    UNION ALL
    (SELECT ctid, id, bytes FROM sluice.outbox WHERE id > high AND id <= newest_id
     ORDER BY id LIMIT rows_max)
  ), chosen AS (
    SELECT place FROM (
      SELECT place, sum(bytes) OVER (ORDER BY id) - bytes AS bytes_before
      FROM (SELECT * FROM found ORDER BY id LIMIT rows_max) lowest) summed
    WHERE bytes_before < bytes_max
  ), gone AS (
    DELETE FROM sluice.outbox o WHERE ctid = ANY (ARRAY(SELECT place FROM chosen))
    RETURNING o AS entry)
  SELECT array_agg(entry ORDER BY (entry).id), max((entry).id), pg_current_snapshot(),
         count(*) < (SELECT count(*) FROM found) OR count(*) >= rows_max
    INTO fresh, new_high, new_seen, more FROM gone;
  IF NOT more THEN new_high := newest_id; END IF;
  -- Every row up to new_high got its transaction's number before its id, so before now. An idle
  -- poll takes no number.
  IF new_high <> high OR next_xid IS NULL THEN next_xid := pg_current_xact_id(); END IF;
  state := concat_ws(' ', expected, new_seen, new_high, next_xid);

  -- A loose scan: one index look a topic that waits.
  WITH RECURSIVE held(topic) AS (
    (SELECT topic FROM sluice.outbox_waiting ORDER BY topic LIMIT 1)
    UNION ALL
    SELECT higher.topic FROM held CROSS JOIN LATERAL (
      SELECT w.topic FROM sluice.outbox_waiting w WHERE w.topic > held.topic
      ORDER BY w.topic LIMIT 1) higher)
  SELECT array_agg(topic::text) INTO waiting_names FROM held;
  IF fresh IS NULL AND waiting_names IS NULL THEN RETURN; END IF;

  SELECT * INTO settings FROM sluice.settings;
  names := ARRAY(SELECT unnest(waiting_names) UNION SELECT topic::text FROM unnest(fresh));
  IF settings.create_topics AND EXISTS (
      SELECT FROM unnest(names) wanted WHERE NOT EXISTS (
        SELECT FROM sluice.topics t WHERE t.name = wanted AND t.deleted_at IS NULL)) THEN
    PERFORM FROM sluice.catalog FOR UPDATE SKIP LOCKED;
    IF FOUND THEN PERFORM sluice.create_topics(names); END IF;
  END IF;
  -- Lazily: the lock table of the server is bounded.
  free_topics := ARRAY(
    SELECT topic_id FROM (
      SELECT t.topic_id FROM unnest(names) wanted
      JOIN sluice.topics t ON t.name = wanted AND t.deleted_at IS NULL
      ORDER BY t.topic_id OFFSET 0) ascending
    WHERE pg_try_advisory_xact_lock(4740, topic_id) LIMIT rows_max);
  more := more OR cardinality(free_topics) >= rows_max;
  -- A statement of its own: its snapshot is newer than the locks, so none of these topics will be
  -- deleted before the commit, and none was that is still named.
  open_names := ARRAY(
    SELECT wanted FROM unnest(names) wanted
    LEFT JOIN sluice.topics t ON t.name = wanted AND t.deleted_at IS NULL
    LEFT JOIN unnest(free_topics) free(topic_id) USING (topic_id)
    WHERE CASE WHEN t.topic_id IS NULL THEN NOT settings.create_topics
               ELSE free.topic_id IS NOT NULL END);

  IF waiting_names IS NULL AND cardinality(open_names) = cardinality(names) THEN
    taken := fresh;                                 -- the usual case
  ELSE
    WITH found AS (
      SELECT low.* FROM (
        SELECT unnest(open_names) AS topic INTERSECT SELECT unnest(waiting_names)) open
      CROSS JOIN LATERAL (
        SELECT ctid AS place, w.topic, w.id, w.bytes FROM sluice.outbox_waiting w
        WHERE w.topic = open.topic ORDER BY w.id LIMIT rows_max) low
      LIMIT rows_max
    ), chosen AS (
      SELECT place FROM (
        SELECT place, sum(bytes) OVER (ORDER BY topic, id) - bytes AS bytes_before
        FROM found) summed
      WHERE bytes_before < bytes_max
    ), gone AS (
      DELETE FROM sluice.outbox_waiting w WHERE ctid = ANY (ARRAY(SELECT place FROM chosen))
      RETURNING w.*)
    SELECT array_agg(ROW('0', id, topic, payload, key, event_id, attributes, bytes)::sluice.outbox)
      INTO waited FROM gone;
    blocked_names := ARRAY(
      SELECT held.topic FROM unnest(waiting_names) held(topic)
      WHERE EXISTS (SELECT FROM sluice.outbox_waiting w WHERE w.topic = held.topic));
    more := more OR blocked_names && open_names;
    open_names := ARRAY(SELECT unnest(open_names) EXCEPT SELECT unnest(blocked_names));
    INSERT INTO sluice.outbox_waiting(topic, id, payload, key, event_id, attributes, bytes)
      SELECT topic, id, payload, key, event_id, attributes, bytes FROM unnest(fresh)
      WHERE topic NOT IN (SELECT unnest(open_names));
    GET DIAGNOSTICS waiting = ROW_COUNT;
    SELECT array_agg(entry ORDER BY (entry).id) INTO taken FROM (
      SELECT entry FROM unnest(waited) entry
      UNION ALL
      SELECT entry FROM unnest(fresh) entry
      WHERE (entry).topic IN (SELECT unnest(open_names))) entries;
  END IF;
  IF taken IS NULL THEN RETURN; END IF;
  moved := cardinality(taken);

  SELECT array_agg(CASE
      WHEN t.topic_id IS NULL THEN 'topic_not_found'
      WHEN entry.bytes > coalesce(t.event_bytes, settings.event_bytes) THEN 'event_too_large'
      -- few brackets: not deep, whatever they do
      WHEN entry.bytes > 1024 AND octet_length(texts.whole)
          - octet_length(replace(replace(texts.whole, '[', ''), '{', '')) > 512
        AND sluice.too_deep(texts.whole) THEN 'invalid_json' END ORDER BY entry.id),
      bool_or(t.ephemeral)
    INTO reasons, has_ephemeral FROM unnest(taken) entry
    CROSS JOIN LATERAL (SELECT concat(entry.payload, entry.attributes) AS whole) texts
    LEFT JOIN sluice.topics t ON t.name = entry.topic AND t.deleted_at IS NULL;
  SELECT array_agg(e.topic_index), array_agg(e.position), array_agg(e.bytes_upto),
         array_agg(e.payload), array_agg(e.key), array_agg(e.event_id), array_agg(e.attributes),
         array_agg(e.place), array_agg(e.topic_id) FILTER (WHERE e.position = 1),
         array_agg(e.topic_count) FILTER (WHERE e.position = 1),
         array_agg(e.event_index) FILTER (WHERE e.event_id IS NOT NULL),
         array_agg('e:' || e.event_id) FILTER (WHERE e.event_id IS NOT NULL),
         array_agg(substr(sha256(convert_to(e.payload::text, 'UTF8')
           || CASE WHEN e.key IS NULL AND e.untraced IS NULL THEN ''
                   ELSE '\x00'::bytea || convert_to(coalesce(e.key, ''), 'UTF8')
                     || '\x0000'::bytea || convert_to(coalesce(e.untraced, ''), 'UTF8')
                   END), 1, 16)) FILTER (WHERE e.event_id IS NOT NULL)
    INTO topic_indexes, positions, running_bytes, payloads, event_keys, event_ids,
         attribute_sets, sources, topic_ids, counts, guards, guard_keys, guard_digests
    FROM (SELECT entry.*, t.topic_id,
            CASE WHEN entry.event_id IS NOT NULL THEN sluice.untraced(entry.attributes) END
              AS untraced,
            (row_number() OVER (ORDER BY t.topic_id, entry.place))::int AS event_index,
            (dense_rank() OVER (ORDER BY t.topic_id))::int AS topic_index,
            (row_number() OVER of_topic)::int AS position,
            (count(*) OVER (PARTITION BY t.topic_id))::int AS topic_count,
            (sum(entry.bytes) OVER of_topic)::bigint AS bytes_upto
          FROM unnest(taken) WITH ORDINALITY
            entry(tx, id, topic, payload, key, event_id, attributes, bytes, place)
          JOIN sluice.topics t ON t.name = entry.topic AND t.deleted_at IS NULL
          WHERE reasons[entry.place] IS NULL AND NOT t.ephemeral
          WINDOW of_topic AS (PARTITION BY t.topic_id ORDER BY entry.place)
          ORDER BY event_index) e;
  IF topic_ids IS NOT NULL THEN
    appended := sluice.append(expected, 0, nextval('sluice.drain_seq'), topic_ids, counts,
      topic_indexes, positions, running_bytes, payloads, event_keys, event_ids, attribute_sets,
      guards, guards, guards, NULL, guard_keys, guard_digests);
    seq := appended.seq;
    parts := appended.parts;
    at := appended.at;
    SELECT array_agg(coalesce(known.reason, refused.reason) ORDER BY place) INTO reasons
      FROM unnest(reasons) WITH ORDINALITY known(reason, place)
      LEFT JOIN (
        SELECT sources[guards[(other->>'guard')::int]] AS place,
          CASE other->>'status' WHEN 'key_conflict' THEN 'idempotency_conflict'
            ELSE other->>'status' END AS reason
        FROM json_array_elements(appended.others) other
        WHERE other->>'status' <> 'repeat') refused USING (place);
  END IF;
  IF has_ephemeral THEN
    PERFORM sluice.emit(expected, array_agg(e.topic_id) FILTER (WHERE e.position = 1),
      array_agg(e.topic_index), array_agg(e.position), array_agg(e.payload), array_agg(e.key),
      array_agg(e.event_id), array_agg(e.attributes))
    FROM (SELECT entry.*, t.topic_id, (dense_rank() OVER (ORDER BY t.topic_id))::int AS topic_index,
            (row_number() OVER (PARTITION BY t.topic_id ORDER BY entry.place))::int AS position
          FROM unnest(taken) WITH ORDINALITY
            entry(tx, id, topic, payload, key, event_id, attributes, bytes, place)
          JOIN sluice.topics t ON t.name = entry.topic AND t.deleted_at IS NULL
          WHERE reasons[entry.place] IS NULL AND t.ephemeral
          ORDER BY t.topic_id, entry.place) e
    HAVING count(*) > 0;
  END IF;
  INSERT INTO sluice.outbox_dead(id, reason, topic, payload, key, event_id, attributes)
    SELECT entry.id, reasons[entry.place], entry.topic, entry.payload, entry.key, entry.event_id,
      entry.attributes
    FROM unnest(taken) WITH ORDINALITY
      entry(tx, id, topic, payload, key, event_id, attributes, bytes, place)
    WHERE reasons[entry.place] IS NOT NULL;
  GET DIAGNOSTICS dead = ROW_COUNT;
END$$;
REVOKE ALL ON FUNCTION sluice.drain FROM PUBLIC;
