-- Sees to the role sluice_publisher, whose members may call publish and nothing else, and gives it
-- that right in this database. Returns NULL, or the statement that is missing, when this connection
-- may not create roles; the right is given by the next call.
--
-- Roles belong to the whole cluster: the role of another database's log is the same one.
-- Lock: none that anybody waits for, except who creates the same role at the same time.
CREATE OR REPLACE FUNCTION sluice.ensure_publisher() RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  publish oid;
BEGIN
  IF to_regrole('sluice_publisher') IS NULL THEN
    BEGIN
      CREATE ROLE sluice_publisher NOLOGIN;
    EXCEPTION
      WHEN duplicate_object OR unique_violation THEN NULL;    -- another database's call was faster
      WHEN insufficient_privilege THEN RETURN 'CREATE ROLE sluice_publisher NOLOGIN';
    END;
  END IF;
  IF NOT has_schema_privilege('sluice_publisher', 'sluice', 'USAGE') THEN
    GRANT USAGE ON SCHEMA sluice TO sluice_publisher;
  END IF;
  FOR publish IN SELECT oid FROM pg_proc
      WHERE pronamespace = 'sluice'::regnamespace AND proname = 'publish'
      AND NOT has_function_privilege('sluice_publisher', oid, 'EXECUTE') LOOP
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO sluice_publisher', publish::regprocedure);
  END LOOP;
  RETURN NULL;
END$$;
REVOKE ALL ON FUNCTION sluice.ensure_publisher FROM PUBLIC;
