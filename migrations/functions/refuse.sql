-- Fails with SL001. Every read names the incarnation that it expects, as append does:
-- 'WHERE EXISTS (the marker) OR refuse(expected)'. In SQL functions this is one probe before the
-- rest of the plan, and they stay inlined. STABLE: VOLATILE would be asked per row, and never for
-- no row.
CREATE OR REPLACE FUNCTION sluice.refuse(expected text) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'the log is not in incarnation %', expected USING ERRCODE = 'SL001';
END$$;
REVOKE ALL ON FUNCTION sluice.refuse FROM PUBLIC;
