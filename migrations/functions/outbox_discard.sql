-- Deletes events that were refused, for good. Returns how many there were.
--   ids: of outbox_dead
-- Lock: the rows.
CREATE OR REPLACE FUNCTION sluice.outbox_discard(ids bigint[]) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  discarded bigint;
BEGIN
  DELETE FROM sluice.outbox_dead d WHERE d.id = ANY (ids);
  GET DIAGNOSTICS discarded = ROW_COUNT;
  RETURN discarded;
END$$;
REVOKE ALL ON FUNCTION sluice.outbox_discard FROM PUBLIC;
