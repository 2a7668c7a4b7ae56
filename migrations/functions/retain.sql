-- One bounded step of retention in its own transaction; returns the events that went; repeat (with
-- a pause) until 0. Exact for age, count, bytes, purge and deletion. At 0 it notes when it has to be
-- called again (`retention`), unless somebody has asked for that meanwhile.
-- Lock: (4742, topic), tried only: never waits, and nobody waits for it. Cost: 1.5 us CPU a row,
-- and it touches only the oldest `rows_max` rows; with nothing to do it looks at one.
CREATE OR REPLACE FUNCTION sluice.retain(topic int, rows_max int DEFAULT 2000) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
  rules sluice.topics;
  newest record;
  oldest record;
  last_gone bigint;
  bytes_gone bigint;
  expired_before timestamptz;
  seen_due timestamptz;
  next_due timestamptz := 'infinity';
BEGIN
  IF NOT pg_try_advisory_xact_lock(4742, topic) THEN RETURN 0; END IF;
  SELECT due INTO seen_due FROM sluice.retention WHERE topic_id = topic;
  SELECT * INTO rules FROM sluice.topics WHERE topic_id = topic;
  SELECT nullif(coalesce(rules.retain_age, default_retain_age), '-1 s'),
         nullif(coalesce(rules.retain_count, default_retain_count), -1),
         nullif(coalesce(rules.retain_bytes, default_retain_bytes), -1)
    INTO rules.retain_age, rules.retain_count, rules.retain_bytes FROM sluice.settings;
  SELECT * INTO newest FROM sluice.head(topic);
  IF newest.off IS NULL THEN
    PERFORM sluice.put_off(topic, seen_due, CASE WHEN rules.deleted_at IS NULL THEN next_due END);
    RETURN 0;
  END IF;
  SELECT coalesce(max(first_off), 1) AS first_off, coalesce(max(cum), 0) AS cum INTO oldest
    FROM sluice.tail(topic);
  -- In seconds and bounded, so that no interval leaves the range of timestamptz.
  expired_before := clock_timestamp() - make_interval(
    secs => least(extract(epoch FROM rules.retain_age), 3153600000)::float8);
  SELECT max(off), max(cum) INTO last_gone, bytes_gone FROM (
    SELECT off, ts, cum, lag(cum, 1, oldest.cum) OVER (ORDER BY off) AS cum_before
    FROM sluice.events WHERE topic_id = topic AND off >= oldest.first_off
    ORDER BY off LIMIT CASE WHEN
      -- the usual case, nothing to do, looks at one row only
      greatest(rules.purged_below, newest.off - rules.retain_count + 1) > oldest.first_off
      OR newest.cum - oldest.cum > rules.retain_bytes OR rules.deleted_at IS NOT NULL
      OR (SELECT ts FROM sluice.events WHERE topic_id = topic AND off = oldest.first_off)
        < expired_before
      THEN rows_max ELSE 0 END) eldest
  WHERE rules.deleted_at IS NOT NULL OR off < rules.purged_below
    OR off <= newest.off - rules.retain_count OR ts < expired_before
    OR newest.cum - cum_before > rules.retain_bytes;
  IF last_gone IS NULL THEN
    -- a deleted topic's newest row goes, too, if an earlier step emptied it
    DELETE FROM sluice.events
      WHERE topic_id = topic AND off = newest.off AND rules.deleted_at IS NOT NULL;
    IF rules.retain_age IS NOT NULL THEN
      SELECT ts + make_interval(
          secs => least(extract(epoch FROM rules.retain_age), 3153600000)::float8)
        INTO next_due FROM sluice.events WHERE topic_id = topic AND off = oldest.first_off;
    END IF;
    PERFORM sluice.put_off(topic, seen_due,
      CASE WHEN rules.deleted_at IS NULL THEN coalesce(next_due, 'infinity') END);
    RETURN 0;
  END IF;
  INSERT INTO sluice.tails VALUES (topic, last_gone + 1, bytes_gone);
  DELETE FROM sluice.tails WHERE topic_id = topic AND first_off <= last_gone;
  -- from first_off - 1: there may be the emptied row of an earlier step
  DELETE FROM sluice.events WHERE topic_id = topic
    AND off BETWEEN oldest.first_off - 1 AND last_gone
    AND (off < newest.off OR rules.deleted_at IS NOT NULL);
  IF last_gone = newest.off THEN
    UPDATE sluice.events SET payload = 'null', key = NULL, event_id = NULL, attributes = NULL
      WHERE topic_id = topic AND off = last_gone;
  END IF;
  RETURN last_gone - oldest.first_off + 1;
END$$;
REVOKE ALL ON FUNCTION sluice.retain FROM PUBLIC;
