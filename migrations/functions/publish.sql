-- Publishes an event within the caller's transaction: a row of the outbox, in any isolation level.
-- 54000 when it is larger than the topic, or else the settings, allow.
--   wake: tell the drain at once. It makes the commits of all publishers flush one after another
--     and forbids PREPARE TRANSACTION, so the drain polls unless it is asked for.
-- Lock: none that a broker waits for. Cost: 0.1 ms. The transaction's number is taken before the
-- row's id: drain() counts on it. Privileges stay as they were granted.
CREATE OR REPLACE FUNCTION sluice.publish(topic text, data json, key text DEFAULT NULL,
  event_id text DEFAULT NULL, attributes json DEFAULT NULL, wake boolean DEFAULT false)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  transaction xid8 := pg_current_xact_id();
  size int := octet_length(data::text) + coalesce(octet_length(attributes::text), 0)
    + coalesce(octet_length(key), 0) + coalesce(octet_length(event_id), 0);
  size_max int := coalesce(
    (SELECT t.event_bytes FROM sluice.topics t
     WHERE t.name = publish.topic AND t.deleted_at IS NULL),
    (SELECT s.event_bytes FROM sluice.settings s));
BEGIN
  IF size > size_max THEN
    RAISE EXCEPTION 'event of % bytes exceeds %', size, size_max
      USING ERRCODE = 'program_limit_exceeded', HINT = 'Publish less, or raise event_bytes of the '
        'topic or in sluice.settings, and the broker''s limit with it.';
  END IF;
  INSERT INTO sluice.outbox(tx, topic, payload, key, event_id, attributes)
    VALUES (transaction, topic, data, key, event_id, attributes);
  IF wake THEN PERFORM pg_notify('sluice_outbox', ''); END IF;
END$$;

-- With fewer overloads, either jsonb_build_object(...) or a plain literal would not resolve.
CREATE OR REPLACE FUNCTION sluice.publish(topic text, data jsonb, key text DEFAULT NULL,
  event_id text DEFAULT NULL, attributes json DEFAULT NULL, wake boolean DEFAULT false)
RETURNS void LANGUAGE sql
BEGIN ATOMIC
  SELECT sluice.publish(topic, data::json, key, event_id, attributes, wake);
END;
CREATE OR REPLACE FUNCTION sluice.publish(topic text, data text, key text DEFAULT NULL,
  event_id text DEFAULT NULL, attributes json DEFAULT NULL, wake boolean DEFAULT false)
RETURNS void LANGUAGE sql
BEGIN ATOMIC
  SELECT sluice.publish(topic, data::json, key, event_id, attributes, wake);
END;
