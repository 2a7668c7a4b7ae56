-- The catalog's next version; whoever changes a topic stamps its row with it.
-- Lock: the catalog's row until the commit, so versions become visible in their order.
CREATE OR REPLACE FUNCTION sluice.next_version() RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
  UPDATE sluice.catalog SET version = version + 1 RETURNING version;
END;
REVOKE ALL ON FUNCTION sluice.next_version FROM PUBLIC;
