-- Appends a batch: the broker's hot path, one call per batch, in a transaction of its own, READ
-- COMMITTED.
--   expected: the incarnation; SL001 in another
--   batch_writer, batch_seq: name the batch in the journal; SL004 if it was given up
--   topic_ids: distinct, ASCENDING;  counts: events of each
--   per event: topic_indexes into topic_ids, positions 1..n in its topic, running_bytes (payload,
--     key, event_id, attributes) of its topic in this batch up to and including it
--   guard_*: guarded parts of requests, in the order of the events: one per request and topic, or
--     one per event if each has a key of its own. The parts of a request are neighbours and stand
--     or fall together; only a repeat hinders nobody. guard_firsts, guard_lasts: its events
--     (indexes); guard_heads: the head it expects, or NULL (of a request's first part in a topic);
--     guard_keys, guard_digests: idempotency key and digest of the part, or NULL
--   again: this may be a retry, look into the journal first (without it, a repeated seq is 23505)
-- An array whose elements are all NULL is NULL itself: these are the fast paths.
--
-- Events outside of every guard are appended if their topic exists. The answer is the journal's
-- row. A topic that is not in parts got nothing; offsets are dealt in the order of the events to
-- all that others does not name. others:
--   {"guard": index, "status":
--      "repeat" (first, last, time; also in a request whose other parts are appended, or refused)
--      | "key_conflict" | "head_moved" (head) | "unknown_topic"
--      | "refused" (because of another part of its request)}
-- SL005: commits would not be durable.
--
-- Lock: (4741, 4) shared, so that no incarnation begins meanwhile, then (4740, topic) of each topic,
-- ascending, until the commit. Cost: 300 us, 6 us an event, 8 to
-- 12 us a key. The planner's settings hold behind a pooler, too: without them, tables are read
-- sequentially. They and the search path cost 10 to 40 us a call.
CREATE OR REPLACE FUNCTION sluice.append(expected text, batch_writer bigint, batch_seq bigint,
  topic_ids int[], counts int[], topic_indexes int[], positions int[], running_bytes bigint[],
  payloads json[], event_keys text[] DEFAULT NULL, event_ids text[] DEFAULT NULL,
  attribute_sets json[] DEFAULT NULL, guard_requests int[] DEFAULT NULL,
  guard_firsts int[] DEFAULT NULL, guard_lasts int[] DEFAULT NULL,
  guard_heads bigint[] DEFAULT NULL, guard_keys text[] DEFAULT NULL,
  guard_digests bytea[] DEFAULT NULL, again boolean DEFAULT false) RETURNS sluice.batches
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
  answer sluice.batches;
  earlier sluice.batches;
  is_current boolean;
  known_topics int;
  -- per topic
  bases bigint[];          -- the last offset before; NULL: not a durable topic
  bytes_before bigint[];
  times timestamptz[];     -- of its events
  dropped_counts int[];    -- events that are not appended
  -- per guard
  statuses text[];
  digests bytea[];         -- of what its key has appended, before or in this batch
  firsts bigint[];
  lasts bigint[];
  key_times timestamptz[];
  twins int[];             -- the guard before it with the same topic and key
  -- of the request that is decided
  is_plain boolean;        -- nothing is to decide
  first_guard int;
  last_guard int := 0;
  is_fine boolean;
  topic_index int;
  head bigint;
  window_slot smallint;
  dropped_events int4multirange := '{}';
BEGIN
  IF current_setting('synchronous_commit') IN ('off', 'local')
    AND NOT (SELECT allow_async FROM sluice.settings) THEN
    RAISE EXCEPTION 'synchronous_commit is %, so an acknowledged event could be lost',
      current_setting('synchronous_commit')
      USING ERRCODE = 'SL005', HINT = 'Set it to on, or allow_async in sluice.settings.';
  END IF;
  PERFORM pg_advisory_xact_lock_shared(4741, 4), pg_advisory_xact_lock(4740, id)
    FROM unnest(topic_ids) id;
  answer.at := clock_timestamp();                   -- after the locks: mark() counts on it
  -- A statement of its own: its snapshot is newer than the locks, so nobody else can add to these
  -- topics any more.
  SELECT array_agg(CASE WHEN t.topic_id IS NOT NULL THEN coalesce(newest.off, 0) END
                   ORDER BY place),
         array_agg(coalesce(newest.cum, 0) ORDER BY place),
         array_agg(greatest(newest.ts, answer.at) ORDER BY place), count(t.topic_id),
         EXISTS (SELECT FROM sluice.marker WHERE incarnation = expected AND born = xmin)
    INTO bases, bytes_before, times, known_topics, is_current
    FROM unnest(topic_ids) WITH ORDINALITY asked(id, place)
    LEFT JOIN sluice.topics t
      ON t.topic_id = asked.id AND t.deleted_at IS NULL AND NOT t.ephemeral
    LEFT JOIN LATERAL sluice.head(t.topic_id) newest ON true;
  IF NOT is_current THEN
    RAISE EXCEPTION 'the log is not in incarnation %', expected USING ERRCODE = 'SL001';
  END IF;
  IF again THEN
    SELECT * INTO earlier FROM sluice.batches WHERE writer = batch_writer AND seq = batch_seq;
    IF FOUND AND earlier.parts IS NULL THEN
      RAISE EXCEPTION 'batch % of writer % was given up', batch_seq, batch_writer
        USING ERRCODE = 'SL004';
    END IF;
    IF FOUND THEN RETURN earlier; END IF;
  END IF;

  IF guard_requests IS NOT NULL THEN
    -- The usual case is decided in one statement: unknown keys, and no condition, no key twice.
    is_plain := known_topics = cardinality(topic_ids) AND guard_heads IS NULL
      AND NOT EXISTS (
        SELECT FROM unnest(guard_firsts, guard_keys) guarded(event, key) CROSS JOIN LATERAL
          (SELECT FROM sluice.known_key(topic_ids[topic_indexes[guarded.event]], guarded.key)) f)
      AND (cardinality(guard_requests) = 1
        OR NOT EXISTS (
          SELECT FROM unnest(guard_firsts, guard_keys) guarded(event, key)
          WHERE key IS NOT NULL GROUP BY topic_indexes[event], key HAVING count(*) > 1));
    SELECT sluice.key_slot(answer.at, key_window) INTO window_slot FROM sluice.settings;
    IF NOT is_plain THEN
      dropped_counts := array_fill(0, ARRAY[cardinality(topic_ids)]);
      SELECT array_agg(found.digest ORDER BY place), array_agg(found.first_off ORDER BY place),
             array_agg(found.last_off ORDER BY place),
             array_agg(coalesce((SELECT e.ts FROM sluice.events e
               WHERE e.topic_id = guarded.topic AND e.off = found.first_off), found.at)
               ORDER BY place),
             array_agg(guarded.twin ORDER BY place)
        INTO digests, firsts, lasts, key_times, twins
        FROM (SELECT place, key, topic_ids[topic_indexes[event]] AS topic,
                lag(place) OVER (PARTITION BY topic_indexes[event], key ORDER BY place) AS twin
              FROM unnest(guard_firsts, guard_keys) WITH ORDINALITY parts(event, key, place)
             ) guarded
        LEFT JOIN LATERAL sluice.known_key(guarded.topic, guarded.key) found ON true;
    END IF;
    WHILE NOT is_plain AND last_guard < cardinality(guard_requests) LOOP
      first_guard := last_guard + 1;                -- first_guard..last_guard are one request
      last_guard := first_guard;
      WHILE guard_requests[last_guard + 1] = guard_requests[first_guard] LOOP
        last_guard := last_guard + 1;
      END LOOP;
      is_fine := true;
      FOR guard IN first_guard..last_guard LOOP
        topic_index := topic_indexes[guard_firsts[guard]];
        -- the head that this part finds
        head := bases[topic_index] + positions[guard_firsts[guard]] - 1
          - dropped_counts[topic_index];
        IF digests[guard] IS NULL AND guard_keys[guard] IS NOT NULL
          AND digests[twins[guard]] IS NOT NULL THEN          -- the same key in this batch
          digests[guard] := digests[twins[guard]];
          firsts[guard] := firsts[twins[guard]];
          lasts[guard] := lasts[twins[guard]];
          key_times[guard] := key_times[twins[guard]];
        END IF;
        IF head IS NULL THEN statuses[guard] := 'unknown_topic';
        ELSIF digests[guard] = guard_digests[guard] THEN
          statuses[guard] := 'repeat';
          dropped_counts[topic_index] :=
            dropped_counts[topic_index] + guard_lasts[guard] - guard_firsts[guard] + 1;
          dropped_events := dropped_events
            + int4multirange(int4range(guard_firsts[guard], guard_lasts[guard], '[]'));
        ELSIF digests[guard] IS NOT NULL THEN statuses[guard] := 'key_conflict';
        ELSIF guard_heads[guard] <> head THEN
          statuses[guard] := 'head_moved';
          lasts[guard] := head;
        ELSE                 -- as if; a later part of this request may have the same key
          statuses[guard] := 'ok';
          digests[guard] := guard_digests[guard];
          key_times[guard] := times[topic_index];
          firsts[guard] := head + 1;
          lasts[guard] := head + guard_lasts[guard] - guard_firsts[guard] + 1;
        END IF;
        is_fine := is_fine AND statuses[guard] IN ('ok', 'repeat');
      END LOOP;
      CONTINUE WHEN is_fine;
      FOR guard IN first_guard..last_guard LOOP
        IF statuses[guard] <> 'repeat' THEN
          topic_index := topic_indexes[guard_firsts[guard]];
          dropped_counts[topic_index] :=
            dropped_counts[topic_index] + guard_lasts[guard] - guard_firsts[guard] + 1;
          dropped_events := dropped_events
            + int4multirange(int4range(guard_firsts[guard], guard_lasts[guard], '[]'));
        END IF;
        -- a twin within the request is not there either
        IF statuses[guard] = 'ok'
          OR twins[guard] >= first_guard AND digests[twins[guard]] IS NULL THEN
          digests[guard] := NULL;
          IF statuses[guard] IN ('ok', 'repeat') THEN statuses[guard] := 'refused'; END IF;
        END IF;
      END LOOP;
    END LOOP;
    INSERT INTO sluice.keys(first_off, last_off, at, topic_id, slot, key, digest)
      SELECT coalesce(first_off, bases[topic_indexes[first]] + positions[first]),
             coalesce(last_off, bases[topic_indexes[first]] + positions[first] + last - first),
             answer.at, topic_ids[topic_indexes[first]], window_slot, key, digest
      FROM unnest(statuses, firsts, lasts, guard_firsts, guard_lasts, guard_keys, guard_digests)
        guarded(status, first_off, last_off, first, last, key, digest)
      WHERE coalesce(status, 'ok') = 'ok' AND key IS NOT NULL;
    IF NOT is_plain THEN
      SELECT json_agg(json_strip_nulls(json_build_object('guard', place, 'status', status,
               'first', CASE status WHEN 'repeat' THEN first END,
               'last', CASE status WHEN 'repeat' THEN last END,
               'time', CASE status WHEN 'repeat' THEN key_time END,
               'head', CASE status WHEN 'head_moved' THEN last END)) ORDER BY place)
        INTO answer.others
        FROM unnest(statuses, firsts, lasts, key_times) WITH ORDINALITY
          guarded(status, first, last, key_time, place)
        WHERE status <> 'ok';
      SELECT array_agg(wanted - dropped ORDER BY place) INTO counts
        FROM unnest(counts, dropped_counts) WITH ORDINALITY both_counts(wanted, dropped, place);
    END IF;
  END IF;
  IF known_topics < cardinality(topic_ids) OR NOT isempty(dropped_events) THEN
    -- close the ranks around what is not appended
    SELECT array_agg(e.topic_index ORDER BY place), array_agg(e.position ORDER BY place),
           array_agg(e.bytes_upto ORDER BY place), array_agg(e.payload ORDER BY place),
           array_agg(e.key ORDER BY place), array_agg(e.event_id ORDER BY place),
           array_agg(e.attributes ORDER BY place)
      INTO topic_indexes, positions, running_bytes, payloads, event_keys, event_ids,
           attribute_sets
      FROM (SELECT place, sized.topic_index, sized.payload, sized.key, sized.event_id,
              sized.attributes, (row_number() OVER kept)::int AS position,
              (sum(size) OVER kept)::bigint AS bytes_upto
            FROM (SELECT *, sent.bytes_upto - lag(sent.bytes_upto, 1, 0::bigint)
                    OVER (PARTITION BY sent.topic_index ORDER BY sent.position) AS size
                  FROM unnest(topic_indexes, positions, running_bytes, payloads, event_keys,
                      event_ids, attribute_sets) WITH ORDINALITY
                    sent(topic_index, position, bytes_upto, payload, key, event_id, attributes,
                      place)) sized
            WHERE bases[sized.topic_index] IS NOT NULL AND NOT place::int <@ dropped_events
            WINDOW kept AS (PARTITION BY sized.topic_index ORDER BY place)) e;
  END IF;

  INSERT INTO sluice.events(off, ts, cum, topic_id, payload, key, event_id, attributes)
    SELECT bases[e.topic_index] + e.position, times[e.topic_index],
           bytes_before[e.topic_index] + e.bytes_upto, topic_ids[e.topic_index],
           e.payload, e.key, e.event_id, e.attributes
    -- in lockstep: cheaper than FROM unnest(topic_indexes, positions, ...)
    FROM (SELECT unnest(topic_indexes) AS topic_index, unnest(positions) AS position,
            unnest(running_bytes) AS bytes_upto, unnest(payloads) AS payload,
            unnest(event_keys) AS key, unnest(event_ids) AS event_id,
            unnest(attribute_sets) AS attributes) e;
  answer.writer := batch_writer;
  answer.seq := batch_seq;
  FOR topic IN 1..cardinality(topic_ids) LOOP
    CONTINUE WHEN bases[topic] IS NULL OR counts[topic] = 0;
    answer.parts := concat_ws(' ', answer.parts,
      topic_ids[topic] || ':' || bases[topic] + 1 || '-' || bases[topic] + counts[topic]
      || CASE WHEN times[topic] > answer.at
           THEN '@' || (extract(epoch FROM times[topic]) * 1000000)::bigint ELSE '' END);
  END LOOP;
  answer.parts := coalesce(answer.parts, '');
  -- Last, and without ON CONFLICT: who finds the number taken after all, by give_up(), must undo
  -- everything.
  INSERT INTO sluice.batches VALUES (answer.*);
  RETURN answer;
END$$;
REVOKE ALL ON FUNCTION sluice.append FROM PUBLIC;
