-- Attributes as an idempotency digest has them: without traceparent and tracestate, which another
-- try has of its own; NULL if nothing is left. The text of the others stays as it is. The broker
-- does the same (TraceContext).
-- A name's quote follows the bracket, or a comma and white space; no quote within a text does, as
-- it is escaped, and behind one that ends a text no letter follows.
CREATE OR REPLACE FUNCTION sluice.untraced(attributes json) RETURNS text
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
  SELECT CASE WHEN rest !~ '^\s*\{\s*\}\s*$' THEN rest END FROM (
    SELECT regexp_replace(
      regexp_replace(attributes::text,
        ',\s*"trace(?:parent|state)"\s*:\s*"(?:[^"\\]|\\.)*"', '', 'g'),
      '^(\s*\{)\s*"trace(?:parent|state)"\s*:\s*"(?:[^"\\]|\\.)*"\s*,?\s*', '\1') AS rest) others;
END;
REVOKE ALL ON FUNCTION sluice.untraced FROM PUBLIC;
