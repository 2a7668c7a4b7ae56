-- The incarnation in force; begins a new one when the marker is missing (or `anew`, for whoever
-- copied a cluster's files). Called on every connect.
--   seen, seen_system, seen_timeline: all incarnations that the node knows, with system and
--     timeline of the last. A server that does not know one of them is an old primary that came
--     back (SL002), unless it is a standby promoted since (a later timeline) or another system.
-- A standby is SL003.
-- Lock: (4741, 1); for a new one (4741, 4). Cost: one look at the marker; a new incarnation reads every topic's head.
CREATE OR REPLACE FUNCTION sluice.incarnation(
  seen text[] DEFAULT '{}', seen_system bigint DEFAULT NULL, seen_timeline int DEFAULT NULL,
  anew boolean DEFAULT false, OUT incarnation text, OUT system bigint, OUT timeline int)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  here text;
  new_number int;
BEGIN
  IF pg_is_in_recovery() THEN
    RAISE EXCEPTION 'this server is a standby' USING ERRCODE = 'SL003';
  END IF;
  PERFORM pg_advisory_xact_lock(4741, 1);
  SELECT system_identifier, ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int,
         concat_ws('/', system_identifier, d.oid, 'sluice.marker'::regclass::oid)
    INTO system, timeline, here
    FROM pg_control_system(), pg_database d WHERE datname = current_database();
  IF NOT anew AND system = coalesce(seen_system, system)
    AND timeline <= coalesce(seen_timeline, timeline)
    AND EXISTS (SELECT FROM unnest(seen) known WHERE NOT EXISTS
                (SELECT FROM sluice.incarnations i WHERE i.incarnation = known)) THEN
    RAISE EXCEPTION
      'this server does not know an incarnation that was seen: it is not the newest primary'
      USING ERRCODE = 'SL002';
  END IF;
  SELECT m.incarnation INTO incarnation FROM sluice.marker m
    WHERE m.place = here AND m.born = m.xmin;
  IF incarnation IS NOT NULL AND NOT anew THEN RETURN; END IF;
  -- What is appended at this moment has its commit first, or it would lie beyond its own fork.
  PERFORM pg_advisory_xact_lock(4741, 4);
  -- One that was told must not be lost in a crash.
  PERFORM set_config('synchronous_commit', 'on', true);
  SELECT string_agg(substr('0123456789abcdefghijklmnopqrstuvwxyz',
                           1 + get_byte(chance, place) % 36, 1), '') INTO incarnation
    FROM (SELECT sha256(uuid_send(gen_random_uuid())) AS chance) drawn,
      generate_series(0, 9) place;
  INSERT INTO sluice.incarnations(incarnation) VALUES (incarnation)
    RETURNING number INTO new_number;
  INSERT INTO sluice.forks SELECT new_number, t.topic_id, newest.off
    FROM sluice.topics t, sluice.head(t.topic_id) newest WHERE deleted_at IS NULL;
  DELETE FROM sluice.ephemera;
  DELETE FROM sluice.marker;
  INSERT INTO sluice.marker VALUES (incarnation, here);
  -- The new version has the same xmin, in a subtransaction too.
  UPDATE sluice.marker SET born = xmin;
END$$;
REVOKE ALL ON FUNCTION sluice.incarnation FROM PUBLIC;
