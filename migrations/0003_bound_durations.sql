-- 0003: bound durations, part functions from tables, and keep the outbox's rows of a locked topic.
--
-- Functions are in `functions/` from here on, and are made again after each step; those whose
-- parameters get other names are dropped here, because CREATE OR REPLACE cannot rename. Privileges
-- that were granted on those go with them; publish, watch_table and the others keep theirs.
-- Types and order of the parameters stay, so nodes that run meanwhile go on working.
--
-- Lock: settings, topics, incarnations and forks exclusively until the commit, so appends wait;
-- topics is read once, and nothing is rewritten: milliseconds.

---------------------------------------------------------------------------------------- durations
-- At most 36,500 days: arithmetic with longer ones leaves the range of timestamptz, and retention
-- of the topic failed for ever. By seconds, as months and days of one interval may contradict.
DO $$
DECLARE
  bound CONSTANT interval := '36500 days';
  next bigint;
BEGIN
  IF EXISTS (SELECT FROM sluice.topics WHERE retain_age <> '-1 s'
             AND extract(epoch FROM retain_age) NOT BETWEEN 0.000001 AND 3153600000) THEN
    UPDATE sluice.catalog SET version = version + 1 RETURNING version INTO next;
    UPDATE sluice.topics SET retain_age = bound, revision = revision + 1, version = next
      WHERE retain_age <> '-1 s'
        AND extract(epoch FROM retain_age) NOT BETWEEN 0.000001 AND 3153600000;
  END IF;
  UPDATE sluice.settings SET default_retain_age = bound
    WHERE extract(epoch FROM default_retain_age) NOT BETWEEN 0.000001 AND 3153600000;
  UPDATE sluice.settings SET key_window = bound
    WHERE extract(epoch FROM key_window) NOT BETWEEN 60 AND 3153600000;
END$$;

ALTER TABLE sluice.topics DROP CONSTRAINT topics_retain_age_check,
  ADD CONSTRAINT topics_retain_age_check CHECK (retain_age = '-1 s'
    OR extract(epoch FROM retain_age) BETWEEN 0.000001 AND 3153600000);
ALTER TABLE sluice.settings DROP CONSTRAINT settings_default_retain_age_check,
  DROP CONSTRAINT settings_key_window_check,
  ADD CONSTRAINT settings_default_retain_age_check
    CHECK (extract(epoch FROM default_retain_age) BETWEEN 0.000001 AND 3153600000),
  ADD CONSTRAINT settings_key_window_check
    CHECK (extract(epoch FROM key_window) BETWEEN 60 AND 3153600000);

-------------------------------------------------------------------------------------------- words
ALTER TABLE sluice.incarnations RENAME COLUMN n TO number;
ALTER TABLE sluice.forks RENAME COLUMN n TO number;

------------------------------------------------------------------------------------------- outbox
-- Rows that the drain took from the outbox while their topic was locked. They are moved by id as
-- soon as the lock is free, before any later row of the topic. Empty nearly always.
CREATE TABLE sluice.outbox_waiting (
  topic      sluice.topic_name,
  id         bigint,
  payload    json NOT NULL,
  key        text,
  event_id   text,
  attributes json,
  bytes      int NOT NULL,
  PRIMARY KEY (topic, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_cost_delay = 0);
REVOKE ALL ON sluice.outbox_waiting FROM PUBLIC;

---------------------------------------------------------------------------------------- functions
-- What the files in `functions/` were when they were applied last. `revision`: the program's that
-- applied it, so that an older program notices.
CREATE TABLE sluice.functions (
  file       text COLLATE "C" PRIMARY KEY,
  checksum   text NOT NULL,
  revision   int NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
REVOKE ALL ON sluice.functions FROM PUBLIC;

DROP FUNCTION
  sluice.alter_topic(int, jsonb, int),
  sluice.append(text, bigint, bigint, int[], int[], int[], int[], bigint[], json[], text[], text[],
    json[], int[], int[], int[], bigint[], text[], bytea[], boolean),
  sluice.beat(int),
  sluice.delete_topic(int),
  sluice.drain(text, text, int),
  sluice.emit(text, int[], int[], int[], json[], text[], text[], json[]),
  sluice.ends(int),
  sluice.ends(text, int),
  sluice.follow(text, bigint[], bigint[], int),
  sluice.give_up(bigint, bigint),
  sluice.head(int),
  sluice.known_key(int, text),
  sluice.offset_as_of(text, int, text, timestamptz),
  sluice.offset_at(text, int, timestamptz),
  sluice.purge(int, bigint),
  sluice.read_page(text, int, bigint, int, bigint),
  sluice.resume(text, int, text, bigint),
  sluice.retain(int, int),
  sluice.span(int),
  sluice.tail(int),
  sluice.too_deep(text);
