-- Empties the next window's slot of idempotency keys; `true` if it did.
-- A key younger than the window is there when the clock was set back, or key_window was changed:
-- then nothing goes. The newest rows are at the end of the table, whose last pages may still be
-- empty, so it looks backwards in doubling steps.
-- Lock: (4741, 3), tried only. Appends wait for the TRUNCATE, so it gives up after 50 ms when
-- somebody (pg_dump) reads the table. Cost: 30 ms a million keys.
CREATE OR REPLACE FUNCTION sluice.forget_keys() RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '50ms' AS $$
DECLARE
  slot text;
  age interval;
  newest timestamptz;
  page bigint;
  step int := 8;
BEGIN
  IF NOT pg_try_advisory_xact_lock(4741, 3) THEN RETURN false; END IF;
  SELECT format('sluice.keys_%s', (sluice.key_slot(clock_timestamp(), key_window) + 1) % 3),
    key_window INTO slot, age FROM sluice.settings;
  page := pg_relation_size(slot) / current_setting('block_size')::int;
  WHILE newest IS NULL AND page > 0 LOOP
    page := greatest(page - step, 0);
    step := step * 2;
    EXECUTE format('SELECT max(at) FROM %s WHERE ctid >= %L', slot, format('(%s,0)', page))
      INTO newest;
  END LOOP;
  IF newest IS NULL OR newest > clock_timestamp() - age THEN RETURN false; END IF;
  EXECUTE format('TRUNCATE %s', slot);
  RETURN true;
EXCEPTION WHEN lock_not_available THEN RETURN false;
END$$;
REVOKE ALL ON FUNCTION sluice.forget_keys FROM PUBLIC;
