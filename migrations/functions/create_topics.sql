-- The topics of these names; those that do not exist are created.
-- Lock: the catalog's row, only if one is missing. Cost: one look into the index a name.
CREATE OR REPLACE FUNCTION sluice.create_topics(names text[], as_ephemeral boolean DEFAULT false)
RETURNS SETOF sluice.topics
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  new_version bigint;
BEGIN
  IF EXISTS (SELECT FROM unnest(names) wanted WHERE NOT EXISTS
             (SELECT FROM sluice.topics t WHERE t.name = wanted AND t.deleted_at IS NULL)) THEN
    new_version := sluice.next_version();
    INSERT INTO sluice.topics(name, ephemeral, version)
      SELECT DISTINCT wanted, as_ephemeral, new_version FROM unnest(names) wanted
      ON CONFLICT (name) WHERE deleted_at IS NULL DO NOTHING;
  END IF;
  RETURN QUERY SELECT t.* FROM sluice.topics t
    WHERE t.name = ANY (names) AND t.deleted_at IS NULL;
END$$;
REVOKE ALL ON FUNCTION sluice.create_topics FROM PUBLIC;
