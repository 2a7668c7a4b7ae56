-- Is a JSON text nested deeper than 512? Without its strings, its brackets tell.
-- Cost: linear, some us a kB; ask only where there are many brackets.
CREATE OR REPLACE FUNCTION sluice.too_deep(json_text text) RETURNS boolean
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
  SELECT max(depth) > 512 FROM (
    SELECT sum(CASE WHEN bracket IN ('[', '{') THEN 1 ELSE -1 END) OVER (ORDER BY place) AS depth
    FROM unnest(string_to_array(
      regexp_replace(json_text, '"(?:[^"\\]|\\.)*"|[^][{}"]+', '', 'g'), NULL))
      WITH ORDINALITY brackets(bracket, place)) depths;
END;
REVOKE ALL ON FUNCTION sluice.too_deep FROM PUBLIC;
