-- After this, a batch will not commit any more; parts NULL says so. If it had committed: its
-- answer.
-- Lock: waits for a backend that is about to commit the batch. Cost: one row of the journal.
CREATE OR REPLACE FUNCTION sluice.give_up(batch_writer bigint, batch_seq bigint)
RETURNS sluice.batches LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  answer sluice.batches;
BEGIN
  INSERT INTO sluice.batches(writer, seq, at) VALUES (batch_writer, batch_seq, clock_timestamp())
    ON CONFLICT DO NOTHING;
  SELECT * INTO answer FROM sluice.batches WHERE writer = batch_writer AND seq = batch_seq;
  RETURN answer;
END$$;
REVOKE ALL ON FUNCTION sluice.give_up FROM PUBLIC;
