-- 0001: create the schema of the event log: topics, events, journal, idempotency keys, incarnations, the outbox of SQL
-- publishers, and the functions that brokers call. Nothing exists before, so nothing is locked and nobody waits.
-- Applied in one transaction by the migrator, which sets no other search path: every name is qualified.
--
-- PostgreSQL >= 14. What callers must do and what was measured: the documentation of DurableLog.
--
-- Advisory locks, all of them for a transaction: (4740, topic) append; (4741, 1) incarnation, (4741, 2) drain,
-- (4741, 3) keys; (4742, topic) retention. Order: the catalog's row, then topics, ascending.
-- SQLSTATEs: SL001 another incarnation (connect anew), SL002 stale primary, SL003 standby, SL004 batch was given up,
-- SL005 commits would not be durable, SL006 the topic's settings have another revision.
-- append and emit set the planner's settings themselves, so that they hold behind a pooler, too (10 to 40 us a call).
CREATE SCHEMA sluice;
CREATE DOMAIN sluice.topic_name AS text COLLATE "C"
  CHECK (octet_length(VALUE) <= 200 AND VALUE ~ '^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$');

CREATE TABLE sluice.settings (
  the_only      boolean PRIMARY KEY DEFAULT true CHECK (the_only),
  create_topics boolean NOT NULL DEFAULT true,      -- may publish() name a topic that does not exist yet?
  event_bytes   int     NOT NULL DEFAULT 1048576,   -- of one event from SQL; the broker checks its own
  allow_async   boolean NOT NULL DEFAULT false,     -- may append() commit without waiting for the disk?
  key_window    interval NOT NULL DEFAULT '24 hours' CHECK (key_window >= '1 minute'),    -- a key lives one to three
  default_retain_age   interval CHECK (default_retain_age > '0'),                -- NULL = unlimited
  default_retain_count bigint CHECK (default_retain_count >= 0),
  default_retain_bytes bigint CHECK (default_retain_bytes >= 0)
);
INSERT INTO sluice.settings DEFAULT VALUES;

---------------------------------------------------------------------------------------------------- topics
-- Whoever changes the catalog raises this row first and keeps its lock until the commit, so versions become visible in
-- their order, and a node that reads "version > mine" misses none. (Identity order is not commit order.)
CREATE TABLE sluice.catalog (version bigint NOT NULL);
INSERT INTO sluice.catalog VALUES (0);

CREATE TABLE sluice.topics (
  topic_id     int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name         sluice.topic_name NOT NULL,
  ephemeral    boolean NOT NULL DEFAULT false,
  retain_age   interval CHECK (retain_age > '0' OR retain_age = '-1 s'),         -- NULL = the default in settings,
  retain_count bigint CHECK (retain_count >= -1), retain_bytes bigint CHECK (retain_bytes >= -1),    -- -1 = unlimited
  event_bytes  int CHECK (event_bytes > 0),         -- NULL = the default
  overflow     text[] CHECK (overflow <@ ARRAY['replay', 'conflate', 'drop_oldest', 'disconnect'] AND overflow <> '{}'),  -- NULL = all
  description  text NOT NULL DEFAULT '',
  revision     int NOT NULL DEFAULT 1,              -- of the settings
  purged_below bigint NOT NULL DEFAULT 1,           -- at once for readers; retain() deletes behind it
  created_at   timestamptz NOT NULL DEFAULT now(),
  deleted_at   timestamptz,                         -- a tombstone: the name is free, nodes see it by its version
  version      bigint NOT NULL
);
CREATE UNIQUE INDEX topics_name ON sluice.topics (name) WHERE deleted_at IS NULL;
CREATE INDEX topics_version ON sluice.topics (version);

CREATE FUNCTION sluice.next_version() RETURNS bigint LANGUAGE sql AS
  'UPDATE sluice.catalog SET version = version + 1 RETURNING version';

CREATE FUNCTION sluice.create_topics(names text[], as_ephemeral boolean DEFAULT false) RETURNS SETOF sluice.topics
LANGUAGE plpgsql AS $$
DECLARE v bigint;
BEGIN
  IF EXISTS (SELECT FROM unnest(names) n WHERE NOT EXISTS
             (SELECT FROM sluice.topics t WHERE t.name = n AND t.deleted_at IS NULL)) THEN
    v := sluice.next_version();
    INSERT INTO sluice.topics(name, ephemeral, version) SELECT DISTINCT n, as_ephemeral, v FROM unnest(names) n
      ON CONFLICT (name) WHERE deleted_at IS NULL DO NOTHING;
  END IF;
  RETURN QUERY SELECT t.* FROM sluice.topics t WHERE t.name = ANY (names) AND t.deleted_at IS NULL;
END$$;

-- changes: the settings to change; null = the default, "unlimited" for retain_*. NULL: no such topic. if_revision: SL006 when
-- somebody changed them meanwhile.
CREATE FUNCTION sluice.alter_topic(tid int, changes jsonb, if_revision int DEFAULT NULL) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE v bigint := sluice.next_version(); c sluice.topics; wrong text;
BEGIN
  SELECT string_agg(k, ', ') INTO wrong FROM jsonb_object_keys(changes) k
    WHERE k <> ALL ('{retain_age,retain_count,retain_bytes,event_bytes,overflow,description}');
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'a topic has no setting %', wrong USING ERRCODE = 'invalid_parameter_value',
      HINT = 'Settings are retain_age, retain_count, retain_bytes, event_bytes, overflow, description.';
  END IF;
  SELECT * INTO c FROM sluice.topics WHERE topic_id = tid AND deleted_at IS NULL;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF c.revision <> if_revision THEN
    RAISE EXCEPTION 'the settings of topic % have revision %, not %', c.name, c.revision, if_revision USING ERRCODE = 'SL006';
  END IF;
  SELECT jsonb_object_agg(k, CASE WHEN k LIKE 'retain%' AND x = '"unlimited"' THEN
           CASE k WHEN 'retain_age' THEN '"-1 s"' ELSE '-1' END::jsonb WHEN k = 'description' AND x = 'null' THEN '""' ELSE x END)
    INTO changes FROM jsonb_each(changes) e(k, x);
  c := jsonb_populate_record(c, changes);
  UPDATE sluice.topics SET retain_age = c.retain_age, retain_count = c.retain_count, retain_bytes = c.retain_bytes,
    event_bytes = c.event_bytes, overflow = c.overflow, description = c.description, revision = revision + 1, version = v
    WHERE topic_id = tid;
  RETURN v;
END$$;

-- The name goes now, the events later (retain). The topic's lock: no append that saw the topic commits after this.
CREATE FUNCTION sluice.delete_topic(tid int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE v bigint := sluice.next_version();
BEGIN
  PERFORM pg_advisory_xact_lock(4740, tid);
  UPDATE sluice.topics SET deleted_at = clock_timestamp(), version = v WHERE topic_id = tid AND deleted_at IS NULL;
  RETURN CASE WHEN FOUND THEN v END;
END$$;

---------------------------------------------------------------------------------------------------- events
-- Eight columns, so that the null bitmap fits into the header: key, event_id and attributes cost nothing when absent.
-- cum counts the topic's bytes up to and including the event: retention by bytes needs no counter row, which would
-- grow a chain of dead versions under every long snapshot (pg_dump).
-- The newest row of a topic is never deleted, only emptied: it is where the next append continues.
CREATE TABLE sluice.events (
  off        bigint      NOT NULL,                  -- 8+8+8+4: no alignment padding
  ts         timestamptz NOT NULL,
  cum        bigint      NOT NULL,
  topic_id   int         NOT NULL,
  payload    json COMPRESSION lz4 NOT NULL,         -- json: exact text kept, syntax checked
  key        text,
  event_id   text,
  attributes json COMPRESSION lz4,
  PRIMARY KEY (topic_id, off)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.1, toast_tuple_target = 2040);

-- Oldest offset still kept and the bytes below it. The newest row counts; a step of retention adds one and deletes the
-- older, because a row updated thousands of times under a long snapshot is slow to find, and a backward scan is not.
CREATE TABLE sluice.tails (topic_id int, first_off bigint, cum bigint NOT NULL, PRIMARY KEY (topic_id, first_off));

-- The journal: one row per append. The answer to "did my batch commit?", and what followers read to learn of new heads.
-- writer: random, one per append connection. seq: rising per writer. parts: 'topic:first-last topic:first-last' as text,
-- because three arrays would double the row; 'topic:first-last@microseconds' where the events' time is not `at`, because the
-- topic's was ahead of the clock. others: what was not appended, and why. parts NULL: given up.
CREATE TABLE sluice.batches (
  writer bigint, seq bigint,
  at     timestamptz NOT NULL,
  parts  text,
  others json,
  PRIMARY KEY (writer, seq)
);

-- Idempotency keys. One slot a window (a day) of three; the next one's is emptied in this one. So a key lives one to three
-- windows, and the purge is a TRUNCATE: no dead rows, no vacuum of a large index. Appends of a topic exclude each other, so
-- looking first and inserting then needs no unique index. The index on a hash is a third as large as one on (topic_id, key).
CREATE TABLE sluice.keys (
  first_off bigint NOT NULL, last_off bigint NOT NULL,
  at        timestamptz NOT NULL,
  topic_id  int NOT NULL,
  slot      smallint NOT NULL,
  key       text COLLATE "C" NOT NULL,
  digest    bytea NOT NULL
) PARTITION BY LIST (slot);
CREATE TABLE sluice.keys_0 PARTITION OF sluice.keys FOR VALUES IN (0);
CREATE TABLE sluice.keys_1 PARTITION OF sluice.keys FOR VALUES IN (1);
CREATE TABLE sluice.keys_2 PARTITION OF sluice.keys FOR VALUES IN (2);
CREATE INDEX keys_hash ON sluice.keys (hashtextextended(key, topic_id));
CREATE FUNCTION sluice.key_slot(at timestamptz, key_window interval) RETURNS smallint LANGUAGE sql STABLE AS
  'SELECT (floor(extract(epoch FROM at) / extract(epoch FROM key_window)) % 3)::smallint';

CREATE FUNCTION sluice.known_key(tid int, k text) RETURNS SETOF sluice.keys LANGUAGE sql STABLE ROWS 1 AS $$
  SELECT * FROM sluice.keys
  WHERE hashtextextended(key, topic_id) = hashtextextended(k COLLATE "C", tid) AND topic_id = tid AND key = k LIMIT 1
$$;

-- The marker is UNLOGGED, so a crash of the server and a promotion empty it. A copy of it in a restored dump or another
-- database is known by its place, or because no row keeps its xmin when it is restored.
CREATE UNLOGGED TABLE sluice.marker (incarnation text NOT NULL, place text NOT NULL, born xid);

-- No log: the NOTIFY carries the event. The rows are there to count, with the lock and the backward scan of append (a counter
-- row would collapse under a long snapshot), and to hold for some seconds what is too large for a NOTIFY. They are
-- UNLOGGED, so they begin anew exactly when the incarnation does: the epoch tells their lives apart.
CREATE UNLOGGED TABLE sluice.ephemera (
  off bigint, ts timestamptz NOT NULL, topic_id int, event json, PRIMARY KEY (topic_id, off)
);

-- A topic's newest row, for FROM: inlined, so it sees the caller's snapshot.
CREATE FUNCTION sluice.head(tid int) RETURNS TABLE (off bigint, cum bigint, ts timestamptz) LANGUAGE sql STABLE ROWS 1 AS
  'SELECT off, cum, ts FROM sluice.events WHERE topic_id = tid ORDER BY off DESC LIMIT 1';

CREATE FUNCTION sluice.tail(tid int) RETURNS TABLE (first_off bigint, cum bigint) LANGUAGE sql STABLE ROWS 1 AS
  'SELECT first_off, cum FROM sluice.tails WHERE topic_id = tid ORDER BY first_off DESC LIMIT 1';

-- The same of an ephemeral topic, from its rows of this incarnation.
CREATE FUNCTION sluice.beat(tid int) RETURNS TABLE (off bigint, ts timestamptz) LANGUAGE sql STABLE ROWS 1 AS
  'SELECT off, ts FROM sluice.ephemera WHERE topic_id = tid ORDER BY off DESC LIMIT 1';

-- Of a durable topic and one snapshot: earliest and latest offset (latest = earliest - 1: empty), and where the last purge
-- ended: what is missing below it was purged, above it retention took it. No row: no such topic.
CREATE FUNCTION sluice.span(tid int) RETURNS TABLE (earliest bigint, latest bigint, purged_below bigint) LANGUAGE sql STABLE ROWS 1 AS $$
  SELECT e.earliest, greatest((SELECT off FROM sluice.head(tid)), e.earliest - 1), e.purged_below
  FROM (SELECT purged_below, greatest(purged_below, (SELECT first_off FROM sluice.tail(tid))) AS earliest
        FROM sluice.topics WHERE topic_id = tid AND deleted_at IS NULL) e
$$;

-- The same of any topic, with the time of its last event. An ephemeral one is always empty, up to its last offset.
CREATE FUNCTION sluice.ends(tid int) RETURNS TABLE (earliest bigint, latest bigint, purged_below bigint, ts timestamptz)
LANGUAGE sql STABLE ROWS 1 AS $$
  SELECT CASE WHEN e.ephemeral THEN coalesce(h.off, 0) + 1 ELSE e.earliest END,
         CASE WHEN e.ephemeral THEN coalesce(h.off, 0) ELSE greatest(h.off, e.earliest - 1) END, e.purged_below, h.ts
  FROM (SELECT ephemeral, purged_below, greatest(purged_below, (SELECT first_off FROM sluice.tail(tid))) AS earliest
        FROM sluice.topics WHERE topic_id = tid AND deleted_at IS NULL) e
  LEFT JOIN LATERAL (SELECT off, ts FROM sluice.head(tid) WHERE NOT e.ephemeral
                     UNION ALL SELECT off, ts FROM sluice.beat(tid) WHERE e.ephemeral) h ON true
$$;

-- Every read names the incarnation that it expects, as append does: 'WHERE EXISTS (the marker) OR refuse(expected)'. In SQL
-- functions this is one probe before the rest of the plan, and they stay inlined.
CREATE FUNCTION sluice.refuse(expected text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
  RAISE EXCEPTION 'the log is not in incarnation %', expected USING ERRCODE = 'SL001';
END$$;

CREATE FUNCTION sluice.ends(expected text, tid int) RETURNS TABLE (earliest bigint, latest bigint, purged_below bigint, ts timestamptz)
LANGUAGE sql STABLE ROWS 1 AS $$
  SELECT e.* FROM sluice.ends(tid) e
  WHERE EXISTS (SELECT FROM sluice.marker WHERE incarnation = expected AND born = xmin) OR sluice.refuse(expected)
$$;

-- The same of many topics: a NOTIFY may be lost with its connection, and a journal row with forget().
CREATE FUNCTION sluice.heads(expected text, topics int[])
RETURNS TABLE (topic_id int, earliest bigint, latest bigint, purged_below bigint, ts timestamptz) LANGUAGE sql STABLE AS $$
  SELECT u.id, e.* FROM unnest(topics) u(id) CROSS JOIN LATERAL sluice.ends(u.id) e
  WHERE EXISTS (SELECT FROM sluice.marker WHERE incarnation = expected AND born = xmin) OR sluice.refuse(expected)
$$;

-- The broker's hot path: one call per batch, in a transaction of its own, READ COMMITTED.
--   t distinct topics ASCENDING, n events of each
--   per event: ti index into t, sq position 1..n in its topic, nb bytes (payload, key, id, attributes) of its topic in this
--        batch up to and including it
--   g_*: guarded parts of requests, in the order of the events: one per request and topic, or one per event if each has a key
--        of its own. The parts of a request are neighbours and stand or fall together; only a repeat hinders nobody.
--        g_first, g_last: its events (indexes); g_head: the head it expects, or NULL (of a request's first part in a topic);
--        g_key, g_digest: idempotency key and digest of the part, or NULL
-- again: this may be a retry, look into the journal first. (Without it, a repeated seq fails with 23505.)
-- Events outside of every guard are appended if their topic exists. The answer is the journal's row. A topic that is not
-- in parts got nothing; offsets are dealt in the order of the events to all that others does not name. others:
--   {"guard": index, "status": "repeat" (first, last, time; also in a request whose other parts are appended, or refused)
--    | "key_conflict" | "head_moved" (head) | "unknown_topic" | "refused" (because of another part of its request)}
CREATE FUNCTION sluice.append(expected text, w bigint, s bigint, t int[], n int[], ti int[], sq int[], nb bigint[],
  p json[], k text[] DEFAULT NULL, ids text[] DEFAULT NULL, attrs json[] DEFAULT NULL,
  g_request int[] DEFAULT NULL, g_first int[] DEFAULT NULL, g_last int[] DEFAULT NULL, g_head bigint[] DEFAULT NULL,
  g_key text[] DEFAULT NULL, g_digest bytea[] DEFAULT NULL, again boolean DEFAULT false) RETURNS sluice.batches
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
  b sluice.batches; was sluice.batches; base bigint[]; cum bigint[]; times timestamptz[]; known int; current boolean; plain boolean;
  status text[]; digest bytea[]; first bigint[]; last bigint[]; at timestamptz[]; twin int[];   -- per guard
  cut int[]; dropped int4multirange := '{}'; fine boolean; z int := 0; i int; x int; h bigint; slot smallint;
BEGIN
  IF current_setting('synchronous_commit') IN ('off', 'local') AND NOT (SELECT allow_async FROM sluice.settings) THEN
    RAISE EXCEPTION 'synchronous_commit is %, so an acknowledged event could be lost', current_setting('synchronous_commit')
      USING ERRCODE = 'SL005', HINT = 'Set it to on, or allow_async in sluice.settings.';
  END IF;
  PERFORM pg_advisory_xact_lock(4740, u) FROM unnest(t) u;
  b.at := clock_timestamp();                        -- after the locks: mark() counts on it
  -- A statement of its own: its snapshot is newer than the locks, so nobody else can add to these topics any more.
  SELECT array_agg(CASE WHEN c.topic_id IS NOT NULL THEN coalesce(e.off, 0) END ORDER BY o),
         array_agg(coalesce(e.cum, 0) ORDER BY o), array_agg(greatest(e.ts, b.at) ORDER BY o), count(c.topic_id),
         EXISTS (SELECT FROM sluice.marker WHERE incarnation = expected AND born = xmin)
    INTO base, cum, times, known, current
    FROM unnest(t) WITH ORDINALITY u(id, o)
    LEFT JOIN sluice.topics c ON c.topic_id = u.id AND c.deleted_at IS NULL AND NOT c.ephemeral
    LEFT JOIN LATERAL sluice.head(c.topic_id) e ON true;
  IF NOT current THEN
    RAISE EXCEPTION 'the log is not in incarnation %', expected USING ERRCODE = 'SL001';
  END IF;
  IF again THEN
    SELECT * INTO was FROM sluice.batches WHERE writer = w AND seq = s;
    IF FOUND AND was.parts IS NULL THEN RAISE EXCEPTION 'batch % of writer % was given up', s, w USING ERRCODE = 'SL004'; END IF;
    IF FOUND THEN RETURN was; END IF;
  END IF;

  IF g_request IS NOT NULL THEN
    -- The usual case is decided in one statement: unknown keys, and no condition, no key twice.
    plain := known = cardinality(t) AND g_head IS NULL
      AND NOT EXISTS (SELECT FROM unnest(g_first, g_key) u(ev, key) CROSS JOIN LATERAL
        (SELECT FROM sluice.known_key(t[ti[u.ev]], u.key)) y)
      AND (cardinality(g_request) = 1
        OR NOT EXISTS (SELECT FROM unnest(g_first, g_key) u(ev, key) WHERE key IS NOT NULL GROUP BY ti[ev], key HAVING count(*) > 1));
    SELECT sluice.key_slot(b.at, key_window) INTO slot FROM sluice.settings;
    IF NOT plain THEN
      cut := array_fill(0, ARRAY[cardinality(t)]);
      SELECT array_agg(f.digest ORDER BY o), array_agg(f.first_off ORDER BY o), array_agg(f.last_off ORDER BY o),
             array_agg(coalesce((SELECT e.ts FROM sluice.events e WHERE e.topic_id = g.topic AND e.off = f.first_off), f.at) ORDER BY o),
             array_agg(g.twin ORDER BY o)
        INTO digest, first, last, at, twin
        FROM (SELECT o, key, t[ti[ev]] AS topic, lag(o) OVER (PARTITION BY ti[ev], key ORDER BY o) AS twin
              FROM unnest(g_first, g_key) WITH ORDINALITY u(ev, key, o)) g
        LEFT JOIN LATERAL sluice.known_key(g.topic, g.key) f ON true;
    END IF;
    WHILE NOT plain AND z < cardinality(g_request) LOOP
      i := z + 1; z := i;                           -- parts i..z are one request
      WHILE g_request[z + 1] = g_request[i] LOOP z := z + 1; END LOOP;
      fine := true;
      FOR j IN i..z LOOP
        x := ti[g_first[j]]; h := base[x] + sq[g_first[j]] - 1 - cut[x];     -- the head that this part finds
        IF digest[j] IS NULL AND g_key[j] IS NOT NULL AND digest[twin[j]] IS NOT NULL THEN  -- same key in this batch
          digest[j] := digest[twin[j]]; first[j] := first[twin[j]]; last[j] := last[twin[j]]; at[j] := at[twin[j]];
        END IF;
        IF h IS NULL THEN status[j] := 'unknown_topic';
        ELSIF digest[j] = g_digest[j] THEN
          status[j] := 'repeat'; cut[x] := cut[x] + g_last[j] - g_first[j] + 1;
          dropped := dropped + int4multirange(int4range(g_first[j], g_last[j], '[]'));
        ELSIF digest[j] IS NOT NULL THEN status[j] := 'key_conflict';
        ELSIF g_head[j] <> h THEN status[j] := 'head_moved'; last[j] := h;
        ELSE                                        -- as if; a later part of this request may have the same key
          status[j] := 'ok'; digest[j] := g_digest[j]; at[j] := times[x];
          first[j] := h + 1; last[j] := h + g_last[j] - g_first[j] + 1;
        END IF;
        fine := fine AND status[j] IN ('ok', 'repeat');
      END LOOP;
      CONTINUE WHEN fine;
      FOR j IN i..z LOOP
        IF status[j] <> 'repeat' THEN
          x := ti[g_first[j]]; cut[x] := cut[x] + g_last[j] - g_first[j] + 1;
          dropped := dropped + int4multirange(int4range(g_first[j], g_last[j], '[]'));
        END IF;
        IF status[j] = 'ok' OR twin[j] >= i AND digest[twin[j]] IS NULL THEN       -- a twin within the request is not there either
          digest[j] := NULL;
          IF status[j] IN ('ok', 'repeat') THEN status[j] := 'refused'; END IF;
        END IF;
      END LOOP;
    END LOOP;
    INSERT INTO sluice.keys(first_off, last_off, at, topic_id, slot, key, digest)
      SELECT coalesce(f, base[ti[ev]] + sq[ev]), coalesce(l, base[ti[ev]] + sq[ev] + upto - ev), b.at, t[ti[ev]],
             slot, key, d
      FROM unnest(status, first, last, g_first, g_last, g_key, g_digest) u(st, f, l, ev, upto, key, d)
      WHERE coalesce(st, 'ok') = 'ok' AND key IS NOT NULL;
    IF NOT plain THEN
      SELECT json_agg(json_strip_nulls(json_build_object('guard', o, 'status', st,
               'first', CASE st WHEN 'repeat' THEN f END, 'last', CASE st WHEN 'repeat' THEN l END,
               'time', CASE st WHEN 'repeat' THEN c END, 'head', CASE st WHEN 'head_moved' THEN l END)) ORDER BY o)
        INTO b.others FROM unnest(status, first, last, at) WITH ORDINALITY u(st, f, l, c, o) WHERE st <> 'ok';
      SELECT array_agg(y.n - y.cut ORDER BY o) INTO n FROM unnest(n, cut) WITH ORDINALITY y(n, cut, o);
    END IF;
  END IF;
  IF known < cardinality(t) OR NOT isempty(dropped) THEN    -- close the ranks around what is not appended
    SELECT array_agg(e.ti ORDER BY o), array_agg(e.sq ORDER BY o), array_agg(e.nb ORDER BY o), array_agg(e.p ORDER BY o),
           array_agg(e.k ORDER BY o), array_agg(e.ids ORDER BY o), array_agg(e.attrs ORDER BY o)
      INTO ti, sq, nb, p, k, ids, attrs
      FROM (SELECT o, c.ti, (row_number() OVER v)::int AS sq, (sum(size) OVER v)::bigint AS nb, c.p, c.k, c.ids, c.attrs
            FROM (SELECT *, u.nb - lag(u.nb, 1, 0::bigint) OVER (PARTITION BY u.ti ORDER BY u.sq) AS size
                  FROM unnest(ti, sq, nb, p, k, ids, attrs) WITH ORDINALITY u(ti, sq, nb, p, k, ids, attrs, o)) c
            WHERE base[c.ti] IS NOT NULL AND NOT o::int <@ dropped
            WINDOW v AS (PARTITION BY c.ti ORDER BY o)) e;
  END IF;

  INSERT INTO sluice.events(off, ts, cum, topic_id, payload, key, event_id, attributes)
    SELECT base[e.ti] + e.sq, times[e.ti], cum[e.ti] + e.nb, t[e.ti], e.p, e.k, e.ids, e.attrs
    FROM (SELECT unnest(ti) AS ti, unnest(sq) AS sq, unnest(nb) AS nb, unnest(p) AS p, unnest(k) AS k,
                 unnest(ids) AS ids, unnest(attrs) AS attrs) e;       -- in lockstep: cheaper than unnest(ti, sq, ...)
  b.writer := w; b.seq := s;
  FOR i IN 1..cardinality(t) LOOP
    CONTINUE WHEN base[i] IS NULL OR n[i] = 0;
    b.parts := concat_ws(' ', b.parts, t[i] || ':' || base[i] + 1 || '-' || base[i] + n[i]
      || CASE WHEN times[i] > b.at THEN '@' || (extract(epoch FROM times[i]) * 1000000)::bigint ELSE '' END);
  END LOOP;
  b.parts := coalesce(b.parts, '');
  -- Last, and without ON CONFLICT: who finds the number taken after all, by give_up(), must undo everything.
  INSERT INTO sluice.batches VALUES (b.*);
  RETURN b;
END$$;

-- After this, batch s of writer w will not commit any more; parts NULL says so. If it had committed: its answer.
-- Waits for a backend that is about to commit it.
CREATE FUNCTION sluice.give_up(w bigint, s bigint) RETURNS sluice.batches LANGUAGE plpgsql AS $$
DECLARE b sluice.batches;
BEGIN
  INSERT INTO sluice.batches(writer, seq, at) VALUES (w, s, clock_timestamp()) ON CONFLICT DO NOTHING;
  SELECT * INTO b FROM sluice.batches WHERE writer = w AND seq = s;
  RETURN b;
END$$;

-- Each writer's newest row, by a loose scan downwards, which meets it first and never the dead ones that a purge left.
CREATE FUNCTION sluice.newest() RETURNS TABLE (writer bigint, seq bigint) LANGUAGE sql STABLE ROWS 100 AS $$
  WITH RECURSIVE newest AS (
    (SELECT writer, seq FROM sluice.batches ORDER BY writer DESC, seq DESC LIMIT 1)
    UNION ALL
    SELECT x.writer, x.seq FROM newest o CROSS JOIN LATERAL
      (SELECT b.writer, b.seq FROM sluice.batches b WHERE b.writer < o.writer ORDER BY b.writer DESC, b.seq DESC LIMIT 1) x)
  SELECT * FROM newest
$$;

-- Where a new node begins to follow: first this, then the heads, then follow() from here.
CREATE FUNCTION sluice.newest_seqs(expected text) RETURNS TABLE (writer bigint, seq bigint) LANGUAGE sql STABLE ROWS 100 AS $$
  SELECT * FROM sluice.newest()
  WHERE EXISTS (SELECT FROM sluice.marker WHERE incarnation = expected AND born = xmin) OR sluice.refuse(expected)
$$;

-- The journal above what is known, for followers: writers and their last seqs, parallel.
CREATE FUNCTION sluice.follow(expected text, writers bigint[], seqs bigint[], lim int DEFAULT 1000) RETURNS SETOF sluice.batches
LANGUAGE sql STABLE AS $$
  SELECT b.* FROM sluice.newest() o LEFT JOIN unnest(writers, seqs) AS known(writer, seq) USING (writer)
    CROSS JOIN LATERAL (SELECT * FROM sluice.batches b WHERE b.writer = o.writer AND b.seq > coalesce(known.seq, -1)
                        ORDER BY b.seq LIMIT lim) b
  WHERE o.seq > coalesce(known.seq, -1)
    AND (EXISTS (SELECT FROM sluice.marker WHERE incarnation = expected AND born = xmin) OR sluice.refuse(expected))
$$;

-- A page after an offset, and both ends of the topic, all of one snapshot: what lies between `after` and the first row,
-- or earliest, is a gap: purged below purged_below, taken by retention above. At least one row (off NULL) unless the topic is
-- gone. bytes bounds the page, but for its first event.
CREATE FUNCTION sluice.read_page(expected text, tid int, after bigint, lim int DEFAULT 1000, bytes bigint DEFAULT 4194304)
RETURNS TABLE (earliest bigint, latest bigint, purged_below bigint, off bigint, ts timestamptz, payload json, key text, event_id text,
  attributes json)
LANGUAGE sql STABLE AS $$
  SELECT f.earliest, f.latest, f.purged_below, e.off, e.ts, e.payload, e.key, e.event_id, e.attributes
  FROM (SELECT *, greatest(after + 1, earliest) AS start FROM sluice.span(tid)) f
  LEFT JOIN LATERAL (SELECT * FROM sluice.events v
    WHERE v.topic_id = tid AND v.off >= f.start AND v.off < f.start + lim AND v.cum <= bytes + coalesce(
      (SELECT y.cum FROM sluice.events y WHERE y.topic_id = tid AND y.off = f.start), 0)
    ORDER BY v.off LIMIT lim) e ON true
  WHERE EXISTS (SELECT FROM sluice.marker WHERE incarnation = expected AND born = xmin) OR sluice.refuse(expected)
$$;

-- First offset with ts >= at (resume from a time): binary search, possible because offsets are dense and ts never falls.
CREATE FUNCTION sluice.offset_at(expected text, tid int, at timestamptz) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE lo bigint; hi bigint; m bigint; x timestamptz;
BEGIN
  IF NOT EXISTS (SELECT FROM sluice.marker WHERE incarnation = expected AND born = xmin) THEN PERFORM sluice.refuse(expected); END IF;
  SELECT earliest, latest + 1 INTO lo, hi FROM sluice.span(tid);
  WHILE lo < hi LOOP
    m := (lo + hi) / 2;
    SELECT ts INTO x FROM sluice.events WHERE topic_id = tid AND off = m;
    IF x IS NULL OR x < at THEN lo := m + 1; ELSE hi := m; END IF;
  END LOOP;
  RETURN lo;
END$$;

-- No event that is not committed yet will have a smaller ts than this: append takes its time with the topic's lock held, so
-- not before its transaction began. Clock, locks, activity are read in this order: whoever takes a lock later is later than
-- the clock, and whoever let one go since has committed.
CREATE FUNCTION sluice.mark(expected text, OUT bound timestamptz) LANGUAGE plpgsql AS $$
DECLARE pids int[]; oldest timestamptz; hidden int;
BEGIN
  IF NOT EXISTS (SELECT FROM sluice.marker WHERE incarnation = expected AND born = xmin) THEN PERFORM sluice.refuse(expected); END IF;
  bound := clock_timestamp();
  pids := ARRAY(SELECT DISTINCT coalesce(l.pid, 0) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                WHERE datname = current_database() AND locktype = 'advisory' AND classid = 4740 AND objsubid = 2);
  IF pids = '{}' THEN RETURN; END IF;
  IF 0 = ANY (pids) THEN
    RAISE EXCEPTION 'a prepared transaction holds the lock of a topic' USING ERRCODE = 'object_in_use',
      HINT = 'Finish it, see pg_prepared_xacts.';
  END IF;
  PERFORM pg_stat_clear_snapshot();
  SELECT min(xact_start), min(pid) FILTER (WHERE coalesce(state, 'disabled') = 'disabled') INTO oldest, hidden
    FROM pg_stat_activity WHERE pid = ANY (pids);
  IF hidden IS NOT NULL THEN
    RAISE EXCEPTION 'the transaction of process %, which appends, cannot be seen', hidden USING ERRCODE = 'insufficient_privilege',
      HINT = format('GRANT pg_read_all_stats TO %I, and leave track_activities on.', current_user);
  END IF;
  bound := least(bound, oldest);
END$$;

---------------------------------------------------------------------------------------------------- retention
-- Readers skip everything below `before` from the commit on; retain() deletes it. Returns the earliest offset.
CREATE FUNCTION sluice.purge(tid int, before bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE v bigint := sluice.next_version();
BEGIN
  UPDATE sluice.topics c SET version = v, purged_below = greatest(c.purged_below, least(before, latest + 1))
    FROM sluice.span(tid) WHERE c.topic_id = tid AND deleted_at IS NULL RETURNING c.purged_below INTO v;
  RETURN CASE WHEN FOUND THEN v END;
END$$;

-- One bounded step in its own transaction; returns the events that went; repeat (with a pause) until 0. Exact for age,
-- count, bytes, purge and deletion; touches only the oldest `chunk` rows; no extra index; never waits, nobody waits for it.
CREATE FUNCTION sluice.retain(tid int, chunk int DEFAULT 2000) RETURNS bigint
LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE c sluice.topics; h record; l record; upto bigint; below bigint; old timestamptz;
BEGIN
  IF NOT pg_try_advisory_xact_lock(4742, tid) THEN RETURN 0; END IF;
  SELECT * INTO c FROM sluice.topics WHERE topic_id = tid;
  SELECT nullif(coalesce(c.retain_age, default_retain_age), '-1 s'), nullif(coalesce(c.retain_count, default_retain_count), -1),
         nullif(coalesce(c.retain_bytes, default_retain_bytes), -1) INTO c.retain_age, c.retain_count, c.retain_bytes FROM sluice.settings;
  SELECT * INTO h FROM sluice.head(tid);
  IF h.off IS NULL THEN RETURN 0; END IF;
  SELECT coalesce(max(first_off), 1) AS first_off, coalesce(max(cum), 0) AS cum INTO l FROM sluice.tail(tid);
  old := clock_timestamp() - c.retain_age;
  SELECT max(off), max(cum) INTO upto, below FROM (
    SELECT off, ts, cum, lag(cum, 1, l.cum) OVER (ORDER BY off) AS cum_before FROM sluice.events
    WHERE topic_id = tid AND off >= l.first_off ORDER BY off LIMIT CASE WHEN
      -- the usual case, nothing to do, looks at one row only
      greatest(c.purged_below, h.off - c.retain_count + 1) > l.first_off OR h.cum - l.cum > c.retain_bytes
      OR c.deleted_at IS NOT NULL OR (SELECT ts FROM sluice.events WHERE topic_id = tid AND off = l.first_off) < old
      THEN chunk ELSE 0 END) x
  WHERE c.deleted_at IS NOT NULL OR off < c.purged_below OR off <= h.off - c.retain_count OR ts < old
     OR h.cum - cum_before > c.retain_bytes;
  IF upto IS NULL THEN                              -- a deleted topic's newest row goes, too, if an earlier step emptied it
    DELETE FROM sluice.events WHERE topic_id = tid AND off = h.off AND c.deleted_at IS NOT NULL;
    RETURN 0;
  END IF;
  INSERT INTO sluice.tails VALUES (tid, upto + 1, below);
  DELETE FROM sluice.tails WHERE topic_id = tid AND first_off <= upto;
  -- from first_off - 1: there may be the emptied row of an earlier step
  DELETE FROM sluice.events WHERE topic_id = tid AND off BETWEEN l.first_off - 1 AND upto
    AND (off < h.off OR c.deleted_at IS NOT NULL);
  IF upto = h.off THEN
    UPDATE sluice.events SET payload = 'null', key = NULL, event_id = NULL, attributes = NULL WHERE topic_id = tid AND off = upto;
  END IF;
  RETURN upto - l.first_off + 1;
END$$;

-- Rows of the journal and tombstones of topics older than `age`. Whoever asks for the outcome of a batch later than
-- this gets a wrong answer, so at least an hour.
CREATE FUNCTION sluice.forget(age interval DEFAULT '1 hour', topic_age interval DEFAULT '7 days') RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE w bigint; gone bigint := 0; k bigint;
BEGIN
  LOOP
    SELECT max(writer) INTO w FROM sluice.batches WHERE writer < coalesce(w, 9223372036854775807);
    EXIT WHEN w IS NULL;
    DELETE FROM sluice.batches WHERE writer = w AND seq < coalesce(
      (SELECT seq FROM sluice.batches WHERE writer = w AND at >= clock_timestamp() - age ORDER BY seq LIMIT 1), 9223372036854775807);
    GET DIAGNOSTICS k = ROW_COUNT; gone := gone + k;
  END LOOP;
  DELETE FROM sluice.tails l USING sluice.topics c WHERE c.topic_id = l.topic_id AND c.deleted_at < clock_timestamp() - topic_age;
  DELETE FROM sluice.topics c WHERE deleted_at < clock_timestamp() - topic_age
    AND NOT EXISTS (SELECT FROM sluice.events WHERE topic_id = c.topic_id);
  RETURN gone;
END$$;

-- Empties the next window's slot. Appends wait for the TRUNCATE, so it gives up soon when somebody (pg_dump) reads the table.
-- A key younger than the window is there when the clock was set back, or key_window was changed: then nothing goes. The
-- newest rows are at the end of the table, whose last pages may still be empty.
CREATE FUNCTION sluice.forget_keys() RETURNS boolean LANGUAGE plpgsql SET lock_timeout = '50ms' AS $$
DECLARE slot text; age interval; newest timestamptz; page bigint; step int := 8;
BEGIN
  IF NOT pg_try_advisory_xact_lock(4741, 3) THEN RETURN false; END IF;
  SELECT format('sluice.keys_%s', (sluice.key_slot(clock_timestamp(), key_window) + 1) % 3), key_window INTO slot, age FROM sluice.settings;
  page := pg_relation_size(slot) / current_setting('block_size')::int;
  WHILE newest IS NULL AND page > 0 LOOP
    page := greatest(page - step, 0); step := step * 2;
    EXECUTE format('SELECT max(at) FROM %s WHERE ctid >= %L', slot, format('(%s,0)', page)) INTO newest;
  END LOOP;
  IF newest IS NULL OR newest > clock_timestamp() - age THEN RETURN false; END IF;
  EXECUTE format('TRUNCATE %s', slot);
  RETURN true;
EXCEPTION WHEN lock_not_available THEN RETURN false;
END$$;

---------------------------------------------------------------------------------------------------- incarnations
CREATE TABLE sluice.incarnations (
  n           int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,   -- the ancestors of one are those with a smaller n
  incarnation text NOT NULL UNIQUE CHECK (incarnation ~ '^[0-9a-z]{10}$'),
  at          timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- Every topic's last offset when an incarnation began.
CREATE TABLE sluice.forks (n int, topic_id int, off bigint NOT NULL, PRIMARY KEY (topic_id, n));

-- The incarnation in force; begins a new one when the marker is missing (or `anew`: sluice doctor --new-epoch). On every
-- connect. seen: all incarnations that the node knows, with system and timeline of the last. A server that does not know
-- one of them is an old primary that came back, unless it is a standby promoted since (a later timeline) or another system.
CREATE FUNCTION sluice.incarnation(seen text[] DEFAULT '{}', seen_system bigint DEFAULT NULL, seen_timeline int DEFAULT NULL,
  anew boolean DEFAULT false, OUT incarnation text, OUT system bigint, OUT timeline int) LANGUAGE plpgsql AS $$
DECLARE here text; id int;
BEGIN
  IF pg_is_in_recovery() THEN RAISE EXCEPTION 'this server is a standby' USING ERRCODE = 'SL003'; END IF;
  PERFORM pg_advisory_xact_lock(4741, 1);
  SELECT system_identifier, ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int,
         concat_ws('/', system_identifier, d.oid, 'sluice.marker'::regclass::oid)
    INTO system, timeline, here FROM pg_control_system(), pg_database d WHERE datname = current_database();
  IF NOT anew AND system = coalesce(seen_system, system) AND timeline <= coalesce(seen_timeline, timeline) AND EXISTS (
    SELECT FROM unnest(seen) s WHERE NOT EXISTS (SELECT FROM sluice.incarnations i WHERE i.incarnation = s)) THEN
    RAISE EXCEPTION 'this server does not know an incarnation that was seen: it is not the newest primary' USING ERRCODE = 'SL002';
  END IF;
  SELECT m.incarnation INTO incarnation FROM sluice.marker m WHERE m.place = here AND m.born = m.xmin;
  IF incarnation IS NOT NULL AND NOT anew THEN RETURN; END IF;
  PERFORM set_config('synchronous_commit', 'on', true);       -- one that was told must not be lost in a crash
  SELECT string_agg(substr('0123456789abcdefghijklmnopqrstuvwxyz', 1 + get_byte(r, i) % 36, 1), '') INTO incarnation
    FROM (SELECT sha256(uuid_send(gen_random_uuid())) AS r) x, generate_series(0, 9) i;
  INSERT INTO sluice.incarnations(incarnation) VALUES (incarnation) RETURNING n INTO id;
  INSERT INTO sluice.forks SELECT id, c.topic_id, h.off FROM sluice.topics c, sluice.head(c.topic_id) h WHERE deleted_at IS NULL;
  DELETE FROM sluice.ephemera;
  DELETE FROM sluice.marker;
  INSERT INTO sluice.marker VALUES (incarnation, here);
  UPDATE sluice.marker SET born = xmin;             -- the new version has the same xmin, in a subtransaction too
END$$;

-- May a subscriber that consumed `after` in incarnation c go on? Only if no incarnation since began below that offset.
-- Otherwise: reset, and data after `fork`. An unknown incarnation (another branch of history) starts from nothing. An ephemeral
-- topic goes on in the same incarnation only, and what was missed is a gap.
CREATE FUNCTION sluice.resume(expected text, tid int, c text, after bigint, OUT goes_on boolean, OUT fork bigint)
LANGUAGE plpgsql STABLE AS $$
BEGIN
  SELECT after <= x.fork AND (c = expected OR NOT (SELECT ephemeral FROM sluice.topics WHERE topic_id = tid)), least(after, x.fork)
  INTO goes_on, fork FROM (
    SELECT least(e.latest, min(CASE WHEN i.n IS NOT NULL THEN coalesce(f.off, 0) END), CASE WHEN count(o.n) = 0 THEN 0 END) AS fork
    FROM sluice.ends(expected, tid) e LEFT JOIN sluice.incarnations o ON o.incarnation = c
    LEFT JOIN sluice.incarnations i ON i.n > o.n LEFT JOIN sluice.forks f ON f.n = i.n AND f.topic_id = tid
    GROUP BY e.latest) x;
END$$;

-- Where a topic begins that a subscriber never saw, when it resumes with a mark (bound) of incarnation c: at the first event
-- that was not committed then. What later incarnations appended is new whatever its time: a promoted server's clock may be
-- behind. All is new after an incarnation that this log never heard of. NULL: no such topic.
CREATE FUNCTION sluice.offset_as_of(expected text, tid int, c text, bound timestamptz) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE l bigint;
BEGIN
  SELECT CASE WHEN e.earliest > e.latest OR o.n IS NULL THEN e.earliest            -- empty, ephemeral, or all is new
              ELSE least(sluice.offset_at(expected, tid, bound), CASE WHEN i.n IS NOT NULL THEN coalesce(f.off, 0) + 1 END) END
    INTO l FROM sluice.ends(expected, tid) e LEFT JOIN sluice.incarnations o ON o.incarnation = c
    LEFT JOIN LATERAL (SELECT n FROM sluice.incarnations WHERE n > o.n ORDER BY n LIMIT 1) i ON true
    LEFT JOIN sluice.forks f ON f.n = i.n AND f.topic_id = tid;
  RETURN l;
END$$;

---------------------------------------------------------------------------------------------------- SQL publishers
-- The transactional outbox: a plain insert, no lock that a broker waits for, in any isolation level.
-- tx is always assigned before id: drain() counts on it.
CREATE TABLE sluice.outbox (
  tx         xid8   NOT NULL,
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  topic      sluice.topic_name NOT NULL CHECK (topic !~ '^sluice\.'),
  payload    json   NOT NULL,
  key        text CHECK (octet_length(key) <= 500),
  event_id   text CHECK (octet_length(event_id) BETWEEN 1 AND 500),
  attributes json CHECK (json_typeof(attributes) = 'object'),
  bytes      int GENERATED ALWAYS AS (octet_length(payload::text) + coalesce(octet_length(attributes::text), 0)
                                      + coalesce(octet_length(key), 0) + coalesce(octet_length(event_id), 0)) STORED
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX outbox_tx ON sluice.outbox (tx, id);
CREATE TABLE sluice.outbox_dead (
  id bigint PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(),
  reason text NOT NULL,                             -- a code of the catalogue: event_too_large, topic_not_found, ...
  topic text NOT NULL, payload json NOT NULL, key text, event_id text, attributes json
);
CREATE SEQUENCE sluice.drain_seq;

-- No NOTIFY unless `wake`: it would make the commits of all publishers flush one after another and forbid PREPARE TRANSACTION.
CREATE FUNCTION sluice.publish(topic text, data json, key text DEFAULT NULL, event_id text DEFAULT NULL,
  attributes json DEFAULT NULL, wake boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  x xid8 := pg_current_xact_id(); size int := octet_length(data::text) + coalesce(octet_length(attributes::text), 0)
    + coalesce(octet_length(key), 0) + coalesce(octet_length(event_id), 0);
  most int := coalesce((SELECT t.event_bytes FROM sluice.topics t WHERE t.name = publish.topic AND t.deleted_at IS NULL),
                       (SELECT s.event_bytes FROM sluice.settings s));
BEGIN
  IF size > most THEN
    RAISE EXCEPTION 'event of % bytes exceeds %', size, most USING ERRCODE = 'program_limit_exceeded',
      HINT = 'Publish less, or raise event_bytes of the topic or in sluice.settings, and the broker''s limit with it.';
  END IF;
  INSERT INTO sluice.outbox(tx, topic, payload, key, event_id, attributes) VALUES (x, topic, data, key, event_id, attributes);
  IF wake THEN PERFORM pg_notify('sluice_outbox', ''); END IF;
END$$;
-- With fewer overloads, either jsonb_build_object(...) or a plain literal would not resolve.
CREATE FUNCTION sluice.publish(topic text, data jsonb, key text DEFAULT NULL, event_id text DEFAULT NULL,
  attributes json DEFAULT NULL, wake boolean DEFAULT false) RETURNS void
LANGUAGE sql AS 'SELECT sluice.publish(topic, data::json, key, event_id, attributes, wake)';
CREATE FUNCTION sluice.publish(topic text, data text, key text DEFAULT NULL, event_id text DEFAULT NULL,
  attributes json DEFAULT NULL, wake boolean DEFAULT false) RETURNS void
LANGUAGE sql AS 'SELECT sluice.publish(topic, data::json, key, event_id, attributes, wake)';

-- Is it nested deeper than 512? Without its strings, its brackets tell.
CREATE FUNCTION sluice.too_deep(x text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT max(depth) > 512 FROM (
    SELECT sum(CASE WHEN c IN ('[', '{') THEN 1 ELSE -1 END) OVER (ORDER BY o) AS depth
    FROM unnest(string_to_array(regexp_replace(x, '"(?:[^"\\]|\\.)*"|[^][{}"]+', '', 'g'), NULL)) WITH ORDINALITY u(c, o)) y
$$;

-- Moves committed rows into the log, by id, as writer 0 of the journal. Whoever holds the step's lock does it; the others
-- get their state back. state: NULL at first, then what the last call returned, on whichever node: 'incarnation snapshot
-- high next'. It means: of the rows up to `high`, everything that `snapshot` saw has been moved,
-- and the transactions behind all of them are older than `next`. So there remain rows above `high`, and rows of
-- transactions that the snapshot saw running: those in its xip, and those from its xmax to `next`. Nothing that was moved
-- is met again, though an old snapshot keeps it as dead rows, nor the rows of a long transaction while it runs.
-- An event_id is the idempotency key 'e:' || event_id, with the first 16 bytes of the data's SHA-256 as digest.
CREATE FUNCTION sluice.drain(expected text, INOUT state text, lim int DEFAULT 2000,
  OUT moved int, OUT dead int, OUT more boolean, OUT seq bigint, OUT parts text, OUT at timestamptz)
LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
  seen pg_snapshot; high bigint := 0; next xid8; hi bigint; top bigint; shot pg_snapshot; c sluice.settings; b sluice.batches;
  r sluice.outbox[]; reason text[]; src int[]; t int[]; n int[]; ti int[]; sq int[]; nb bigint[];
  p json[]; k text[]; ids text[]; a json[]; g int[]; gk text[]; gd bytea[];
BEGIN
  moved := 0; dead := 0; more := false;
  IF NOT pg_try_advisory_xact_lock(4741, 2) THEN RETURN; END IF;
  IF split_part(state, ' ', 1) = expected THEN
    seen := split_part(state, ' ', 2); high := split_part(state, ' ', 3); next := split_part(state, ' ', 4);
  END IF;
  SELECT CASE WHEN is_called THEN last_value ELSE 0 END INTO hi FROM sluice.outbox_id_seq;
  WITH found AS (
    SELECT o.* FROM pg_snapshot_xip(seen) x CROSS JOIN LATERAL
      (SELECT ctid AS loc, id, bytes FROM sluice.outbox WHERE tx = x AND id <= high ORDER BY id LIMIT lim) o
    WHERE pg_visible_in_snapshot(x, pg_current_snapshot())
    UNION ALL
    SELECT ctid, id, bytes FROM sluice.outbox
    WHERE tx >= pg_snapshot_xmax(seen) AND tx < next AND id + 0 <= high       -- + 0: found by tx
    UNION ALL
    (SELECT ctid, id, bytes FROM sluice.outbox WHERE id > high AND id <= hi ORDER BY id LIMIT lim)
  ), chosen AS (
    SELECT loc FROM (SELECT *, sum(bytes) OVER (ORDER BY id) - bytes AS before FROM (SELECT * FROM found ORDER BY id LIMIT lim) f) f
    WHERE before < 4194304
  ), gone AS (DELETE FROM sluice.outbox WHERE ctid = ANY (ARRAY(SELECT loc FROM chosen)) RETURNING *)
  SELECT array_agg(x), count(*), max(x.id), pg_current_snapshot(), count(*) < (SELECT count(*) FROM found) OR count(*) >= lim
    INTO r, moved, top, shot, more FROM (SELECT * FROM gone ORDER BY id) x;
  IF NOT more THEN top := hi; END IF;
  -- Every row up to `top` got its transaction's number before its id, so before now. An idle poll takes no number.
  IF top <> high OR next IS NULL THEN next := pg_current_xact_id(); END IF;
  state := concat_ws(' ', expected, shot, top, next);
  IF moved = 0 THEN RETURN; END IF;

  SELECT * INTO c FROM sluice.settings;
  IF c.create_topics THEN
    PERFORM sluice.create_topics(ARRAY(SELECT DISTINCT topic::text FROM unnest(r)));
  END IF;
  SELECT array_agg(CASE WHEN y.topic_id IS NULL THEN 'topic_not_found' WHEN y.ephemeral THEN 'ephemeral_topic'
                        WHEN o.bytes > coalesce(y.event_bytes, c.event_bytes) THEN 'event_too_large'
                        -- few brackets: not deep, whatever they do
                        WHEN o.bytes > 1024 AND octet_length(x) - octet_length(replace(replace(x, '[', ''), '{', '')) > 512
                          AND sluice.too_deep(x) THEN 'invalid_json' END ORDER BY o.id)
    INTO reason FROM unnest(r) o CROSS JOIN LATERAL (SELECT concat(o.payload, o.attributes) AS x) d LEFT JOIN sluice.topics y ON y.name = o.topic AND y.deleted_at IS NULL;
  SELECT array_agg(e.ti), array_agg(e.sq), array_agg(e.nb), array_agg(e.payload), array_agg(e.key), array_agg(e.event_id),
         array_agg(e.attributes), array_agg(e.o), array_agg(topic_id) FILTER (WHERE e.sq = 1), array_agg(e.n) FILTER (WHERE e.sq = 1),
         array_agg(i) FILTER (WHERE event_id IS NOT NULL), array_agg('e:' || event_id) FILTER (WHERE event_id IS NOT NULL),
         array_agg(substr(sha256(convert_to(payload::text, 'UTF8')), 1, 16)) FILTER (WHERE event_id IS NOT NULL)
    INTO ti, sq, nb, p, k, ids, a, src, t, n, g, gk, gd
    FROM (SELECT o.*, y.topic_id, (row_number() OVER (ORDER BY y.topic_id, o.o))::int AS i,
                 (dense_rank() OVER (ORDER BY y.topic_id))::int AS ti, (row_number() OVER v)::int AS sq,
                 (count(*) OVER (PARTITION BY y.topic_id))::int AS n, (sum(o.bytes) OVER v)::bigint AS nb
          FROM unnest(r) WITH ORDINALITY o(tx, id, topic, payload, key, event_id, attributes, bytes, o)
          JOIN sluice.topics y ON y.name = o.topic AND y.deleted_at IS NULL WHERE reason[o.o] IS NULL
          WINDOW v AS (PARTITION BY y.topic_id ORDER BY o.o) ORDER BY i) e;
  IF t IS NOT NULL THEN
    b := sluice.append(expected, 0, nextval('sluice.drain_seq'), t, n, ti, sq, nb, p, k, ids, a, g, g, g, NULL, gk, gd);
    seq := b.seq; parts := b.parts; at := b.at;
    IF EXISTS (SELECT FROM sluice.topics WHERE topic_id = ANY (t) AND deleted_at IS NOT NULL) THEN
      RAISE EXCEPTION 'a topic was deleted meanwhile, drain again' USING ERRCODE = 'serialization_failure';
    END IF;
    SELECT array_agg(coalesce(x.reason, y.status) ORDER BY o) INTO reason FROM unnest(reason) WITH ORDINALITY x(reason, o)
      LEFT JOIN (SELECT src[g[(j->>'guard')::int]] AS o, CASE j->>'status'
                   WHEN 'key_conflict' THEN 'idempotency_conflict' ELSE j->>'status' END AS status FROM json_array_elements(b.others) j
                 WHERE j->>'status' <> 'repeat') y USING (o);
  END IF;
  INSERT INTO sluice.outbox_dead(id, reason, topic, payload, key, event_id, attributes)
    SELECT x.id, reason[o], x.topic, x.payload, x.key, x.event_id, x.attributes
    FROM unnest(r) WITH ORDINALITY x(tx, id, topic, payload, key, event_id, attributes, bytes, o) WHERE reason[o] IS NOT NULL;
  GET DIAGNOSTICS dead = ROW_COUNT;
END$$;

-- Changes of a table as events, through the outbox: {"op","old","new","table","at"}. One watch a table. Row triggers: for
-- statements that touch one row they cost half of what transition tables do (for thousands, twice as much). Only
-- for tables whose owners are trusted: the casts to json of their columns' types run with the rights of this schema's owner.
CREATE FUNCTION sluice.watched() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  x xid8 := pg_current_xact_id(); cols text[] := nullif(TG_ARGV[2], ''); before json; after json; key text;
BEGIN
  IF TG_OP IN ('UPDATE', 'DELETE') THEN before := to_json(OLD); END IF;
  IF TG_OP IN ('UPDATE', 'INSERT') THEN after := to_json(NEW); END IF;
  key := coalesce(after, before)->>TG_ARGV[1];
  IF octet_length(key) > 500 THEN key := 'md5:' || md5(key); END IF;       -- never fail the user's statement
  IF cols IS NOT NULL THEN
    before := (SELECT json_object_agg(e.key, value) FROM json_each(before) e WHERE e.key = ANY (cols));
    after := (SELECT json_object_agg(e.key, value) FROM json_each(after) e WHERE e.key = ANY (cols));
  END IF;
  IF TG_OP <> 'UPDATE' OR before::text <> after::text THEN      -- what changes nothing that is watched is no event
    INSERT INTO sluice.outbox(tx, topic, payload, key) VALUES (x, TG_ARGV[0], json_build_object('op', lower(TG_OP), 'old', before,
      'new', after, 'table', format('%I.%I', TG_TABLE_SCHEMA, TG_TABLE_NAME), 'at', clock_timestamp()), key);
  END IF;
  RETURN NULL;
END$$;

CREATE FUNCTION sluice.unwatch_table(watched regclass) RETURNS int LANGUAGE plpgsql AS $$
DECLARE gone int := 0; name text;
BEGIN
  FOR name IN SELECT tgname FROM pg_trigger WHERE tgrelid = watched AND tgfoid = 'sluice.watched'::regproc LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', name, watched); gone := gone + 1;
  END LOOP;
  RETURN gone;
END$$;

CREATE FUNCTION sluice.watch_table(watched regclass, topic text, key_column name DEFAULT NULL, columns name[] DEFAULT NULL)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE missing text; arguments text := format('(%L, %L, %L)', topic, coalesce(key_column, ''), coalesce(columns::text, ''));
BEGIN
  SELECT c INTO missing FROM unnest(columns || key_column) c WHERE c IS NOT NULL AND NOT EXISTS
    (SELECT FROM pg_attribute WHERE attrelid = watched AND attname = c AND attnum > 0 AND NOT attisdropped);
  IF FOUND THEN RAISE EXCEPTION 'table % has no column %', watched, missing USING ERRCODE = 'undefined_column'; END IF;
  IF topic::sluice.topic_name IS NULL OR topic LIKE 'sluice.%' THEN
    RAISE EXCEPTION 'topic % cannot be published to', topic USING ERRCODE = 'invalid_parameter_value';
  END IF;
  PERFORM sluice.unwatch_table(watched);
  EXECUTE format('CREATE TRIGGER sluice_watch AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION sluice.watched', watched) || arguments;
  EXECUTE format('CREATE TRIGGER sluice_watch_truncate AFTER TRUNCATE ON %s EXECUTE FUNCTION sluice.watched', watched) || arguments;
END$$;

---------------------------------------------------------------------------------------------------- ephemeral topics
-- t, ti, sq, p, k, ids, attrs as for append. Notifies 'incarnation topic offset event', or without the event when that would
-- be too long: then it is read from ephemera. Per topic, base: last offset before, NULL for an unknown topic; at: the events' time.
CREATE FUNCTION sluice.emit(expected text, t int[], ti int[], sq int[], p json[], k text[] DEFAULT NULL, ids text[] DEFAULT NULL,
  attrs json[] DEFAULT NULL, OUT at timestamptz[], OUT base bigint[])
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE current boolean; told int; clock timestamptz;
BEGIN
  PERFORM pg_advisory_xact_lock(4740, u) FROM unnest(t) u;
  clock := clock_timestamp();
  SELECT array_agg(CASE WHEN c.topic_id IS NOT NULL THEN coalesce(e.off, 0) END ORDER BY o), array_agg(greatest(e.ts, clock) ORDER BY o),
         EXISTS (SELECT FROM sluice.marker WHERE incarnation = expected AND born = xmin)
    INTO base, at, current
    FROM unnest(t) WITH ORDINALITY u(id, o)
    LEFT JOIN sluice.topics c ON c.topic_id = u.id AND c.deleted_at IS NULL AND c.ephemeral
    LEFT JOIN LATERAL sluice.beat(c.topic_id) e ON true;
  IF NOT current THEN
    RAISE EXCEPTION 'the log is not in incarnation %', expected USING ERRCODE = 'SL001';
  END IF;
  WITH e AS MATERIALIZED (
    SELECT t[e.ti] AS topic, base[e.ti] + e.sq AS off, at[e.ti] AS ts, concat('{"time":', to_json(at[e.ti]), ',"key":' || to_json(e.k),
           ',"event_id":' || to_json(e.ids), ',"attributes":' || e.attrs, ',"data":', e.p, '}') AS event
    FROM (SELECT unnest(ti) AS ti, unnest(sq) AS sq, unnest(p) AS p, unnest(k) AS k, unnest(ids) AS ids, unnest(attrs) AS attrs) e
    WHERE base[e.ti] IS NOT NULL
  ), kept AS (
    INSERT INTO sluice.ephemera SELECT off, ts, topic, CASE WHEN octet_length(event) > 7900 THEN event::json END FROM e)
  SELECT count(pg_notify('sluice_ephemeral', concat_ws(' ', expected, topic, off, CASE WHEN octet_length(event) <= 7900 THEN event END)))
    INTO told FROM e;
END$$;

-- Rows that no listener can still want, but each topic's newest. Every 10 s or so.
CREATE FUNCTION sluice.fade(age interval DEFAULT '10 seconds') RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE gone bigint;
BEGIN
  DELETE FROM sluice.ephemera e USING sluice.topics c CROSS JOIN LATERAL
    sluice.beat(c.topic_id) h
    WHERE c.ephemeral AND e.topic_id = c.topic_id AND (e.off < h.off AND e.ts < clock_timestamp() - age OR c.deleted_at IS NOT NULL);
  GET DIAGNOSTICS gone = ROW_COUNT;
  RETURN gone;
END$$;

---------------------------------------------------------------------------------------------------- privileges
REVOKE ALL ON SCHEMA sluice FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA sluice FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA sluice FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA sluice FROM PUBLIC;
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'sluice_publisher') THEN
    CREATE ROLE sluice_publisher NOLOGIN;           -- roles belong to the whole cluster
  END IF;
  GRANT USAGE ON SCHEMA sluice TO sluice_publisher;
  GRANT EXECUTE ON FUNCTION sluice.publish(text, json, text, text, json, boolean), sluice.publish(text, jsonb, text, text, json, boolean),
    sluice.publish(text, text, text, text, json, boolean) TO sluice_publisher;
EXCEPTION WHEN insufficient_privilege THEN RAISE NOTICE 'there is no role sluice_publisher, create it and grant it sluice.publish';
END$$;
