"""What other roles put into the database is not called."""

from harness import *

# A function for every function and operator of pg_catalog that can be planted, and a type for some:
# whoever calls one fails.
PLANT = """
DO $plant$
DECLARE
  made int := 0;
  call record;
BEGIN
  FOR call IN SELECT proname AS name, proretset AS is_set, format_type(prorettype, NULL) AS result,
      array_to_string(ARRAY(SELECT CASE WHEN place = cardinality(types) AND provariadic <> 0
        THEN 'VARIADIC ' ELSE '' END || format_type(type, NULL)
        FROM unnest(types) WITH ORDINALITY t(type, place)), ', ') AS arguments
      FROM pg_proc CROSS JOIN LATERAL (SELECT proargtypes::oid[] AS types) t
      WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f'
      UNION ALL SELECT name, false, result, arguments FROM (VALUES
        ('concat_ws', 'text', 'text, text, text'), ('concat_ws', 'text', 'text, text, text, text'),
        ('concat_ws', 'text', 'text, text, pg_snapshot, bigint, xid8'),
        ('concat_ws', 'text', 'text, bigint, oid, oid'), ('concat', 'text', 'json, json'),
        ('concat_ws', 'text', 'text, text, integer, bigint, text'),
        ('format', 'text', 'text, integer'), ('format', 'text', 'text, text, text'),
        ('format', 'text', 'text, text, bigint'), ('format', 'text', 'text, name, name'),
        ('unnest', 'integer', 'integer[]'), ('cardinality', 'integer', 'integer[]'),
        ('array_fill', 'integer[]', 'integer, integer[]'), ('to_json', 'json', 'timestamptz'),
        ('to_json', 'json', 'text')) more(name, result, arguments)
  LOOP
    BEGIN
      EXECUTE format('CREATE FUNCTION public.%I(%s) RETURNS %s %s LANGUAGE plpgsql AS $$BEGIN '
        'RAISE EXCEPTION ''planted %s was called''; END$$', call.name, call.arguments,
        CASE WHEN call.is_set THEN 'SETOF' ELSE '' END, call.result, call.name);
      made := made + 1;
    EXCEPTION WHEN OTHERS THEN NULL;       -- of internal types and the like
    END;
  END LOOP;
  FOR call IN SELECT oprname AS name, format_type(oprresult, NULL) AS result, oid,
      nullif(oprleft, 0)::regtype AS left_type, oprright::regtype AS right_type
      FROM pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace LOOP
    BEGIN
      EXECUTE format('CREATE FUNCTION public.planted_%s(%s) RETURNS %s LANGUAGE plpgsql AS $$BEGIN '
        'RAISE EXCEPTION ''planted operator %s was called''; END$$', call.oid,
        concat_ws(', ', call.left_type, call.right_type), call.result,
        replace(call.name, '%', '%%'));
      EXECUTE format('CREATE OPERATOR public.%s (FUNCTION = public.planted_%s, %s RIGHTARG = %s)',
        call.name, call.oid, 'LEFTARG = ' || call.left_type || ',', call.right_type);
      made := made + 1;
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
  END LOOP;
  FOR call IN SELECT typname AS name FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace
      AND typtype = 'b' AND typelem = 0 LOOP
    BEGIN
      EXECUTE format('CREATE DOMAIN public.%I AS pg_catalog.bool', call.name);
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
  END LOOP;
  RAISE NOTICE '%', made;
END$plant$
"""

CALLS = """
SELECT sluice.create_topics('{trust.a,trust.b}');
SELECT sluice.create_topics('{trust.quick}', true);
SELECT sluice.alter_topic(1, '{"retain_count": 2, "retain_age": "unlimited"}', 1);
SELECT sluice.alter_topic(1, '{"description": null}');
SELECT sluice.append($1, 7, 1, '{1}', '{1}', '{1}', '{1}', '{1}', '{1}');
SELECT sluice.append($1, 7, 2, '{1,2}', '{2,1}', '{1,1,2}', '{1,2,1}', '{1,2,1}',
  '{1,2,3}', '{k,l,m}', '{e,f,g}', NULL, '{1,1,2}', '{1,2,3}', '{1,2,3}', NULL,
  '{e:e,e:f,e:g}', '{a,b,c}');
SELECT sluice.append($1, 7, 3, '{1,2}', '{3,1}', '{1,1,1,2}', '{1,2,3,1}',
  '{1,2,3,1}', '{1,2,3,4}', NULL, NULL, NULL, '{1,2,2,3}', '{1,2,3,4}', '{1,2,3,4}',
  '{NULL,3,NULL,0}', '{e:e,x,x,NULL}', '{a,b,b,NULL}');
SELECT sluice.append($1, 7, 3, '{1}', '{1}', '{1}', '{1}', '{1}', '{1}', again => true);
SELECT sluice.give_up(7, 3), sluice.give_up(7, 4);
SELECT * FROM sluice.newest_seqs($1);
SELECT * FROM sluice.follow($1, '{7}', '{1}');
SELECT * FROM sluice.heads($1, '{1,2,3}');
SELECT * FROM sluice.ends($1, 1);
SELECT * FROM sluice.read_page($1, 1, 0);
SELECT sluice.offset_at($1, 1, '2020-01-01');
SELECT * FROM sluice.resume($1, 1, $1, 1);
SELECT sluice.mark($1), sluice.clock($1);
SELECT sluice.offset_as_of($1, 1, $1, '2020-01-01');
SELECT sluice.purge(2, 2);
SELECT sluice.retain(1), sluice.retain(2);
SELECT sluice.publish('trust.a', '[[1]]', key => 'k', event_id => 'p',
  attributes => '{"a": 1}', wake => true);
SELECT sluice.publish('trust.b', '{}'::pg_catalog.jsonb);
SELECT sluice.publish('trust.new', '1'::pg_catalog.json);
SELECT sluice.publish('trust.b', pg_catalog.concat('[', pg_catalog.repeat('[],', 600), '1]'));
SELECT sluice.watch_table('watched', 'trust.watched', 'id', '{id,name}');
INSERT INTO public.watched VALUES (1, 'a');
UPDATE public.watched SET name = 'b';
SELECT sluice.drain($1, NULL, 3);
SELECT sluice.drain($1, NULL);
SELECT sluice.outbox_retry('{1}'), sluice.outbox_discard('{2}'), sluice.ensure_publisher();
SELECT sluice.watch_table('watched', 'trust.watched', 'id', '{id}');
DELETE FROM public.watched;
SELECT sluice.unwatch_table('watched');
SELECT * FROM sluice.emit($1, '{3}', '{1}', '{1}', '{1}', '{k}', '{e}');
SELECT sluice.fade('0');
SELECT sluice.forget('0', '0'), sluice.forget_keys();
SELECT sluice.delete_topic(1);
SELECT sluice.retain(1);
SELECT sluice.end_incarnation($1), sluice.end_incarnation('zzzzzzzzzz');
SELECT sluice.incarnation(anew => true);
SELECT sluice.incarnation(ARRAY[$1]);
"""


@test
def nothing_that_another_role_planted_is_called(url):
    connect(url).execute("CREATE DATABASE trust")
    url = url.replace("dbname=postgres", "dbname=trust")
    load(url)
    db = connect(url)
    db.execute("CREATE TABLE public.watched (id integer PRIMARY KEY, name pg_catalog.text)")
    db.execute("CREATE ROLE sluice_test_planter")
    db.execute("GRANT CREATE ON SCHEMA public TO sluice_test_planter")
    planted = []
    db.add_notice_handler(lambda notice: planted.append(int(notice.message_primary)))
    db.execute("SET ROLE sluice_test_planter")
    db.execute(PLANT)
    db.execute("RESET ROLE")
    assert planted[0] > 2000, planted
    incarnation = one(db, "SELECT incarnation FROM sluice.marker")
    db.execute("SET search_path = public, pg_catalog")
    for trap in ("SELECT clock_timestamp()", "SELECT 1 + 1", "SELECT cardinality('{1}'::int[])"):
        assert "planted" in str(refused("P0001", db.execute, trap)), trap
    for call in CALLS.strip().removesuffix(";").split(";\n"):
        db.execute(call.replace("$1", f"'{incarnation}'"))
    # Nor when functions are made.
    db.execute("UPDATE sluice.functions SET checksum = 'x'")
    db.execute("ALTER DATABASE trust RESET ALL")
    load(url)


@test
def every_function_knows_where_its_names_are(url):
    """A search path of its own, or, where it is inlined, a body that was resolved when made."""
    loose = query(
        connect(url),
        """SELECT proname FROM pg_proc WHERE pronamespace = 'sluice'::regnamespace
        AND prosqlbody IS NULL
        AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (proconfig), false)""",
    )
    assert loose == [], loose
