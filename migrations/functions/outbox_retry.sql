-- Puts events that were refused back into the outbox, in the order of their ids, behind what is
-- there. Returns how many there were.
--   ids: of outbox_dead
-- Lock: the rows. The transaction's number is taken before the rows' ids: drain() counts on it.
CREATE OR REPLACE FUNCTION sluice.outbox_retry(ids bigint[]) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  transaction xid8 := pg_current_xact_id();
  retried bigint;
BEGIN
  WITH gone AS (
    DELETE FROM sluice.outbox_dead d WHERE d.id = ANY (ids) RETURNING d.*)
  INSERT INTO sluice.outbox(tx, topic, payload, key, event_id, attributes)
    SELECT transaction, g.topic, g.payload, g.key, g.event_id, g.attributes
    FROM gone g ORDER BY g.id;
  GET DIAGNOSTICS retried = ROW_COUNT;
  RETURN retried;
END$$;
REVOKE ALL ON FUNCTION sluice.outbox_retry FROM PUBLIC;
