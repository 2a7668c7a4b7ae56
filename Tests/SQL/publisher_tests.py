"""publish and watch_table: what reaches the log, and what dies."""

from harness import *


@test
def publish_has_three_forms_and_rolls_back(url):
    db, writer = connect(url), Writer(url)
    with db.transaction():
        db.execute("SELECT sluice.publish('sql.a', '{\"x\" : 1}')")
        db.execute(
            "SELECT sluice.publish('sql.a', jsonb_build_object('x', 2), key => 'k', event_id =>"
            " 'e', attributes => '{\"a\":1}')"
        )
        db.execute("SELECT sluice.publish('sql.a', json_build_object('x', 3))")
        with contextlib.suppress(ZeroDivisionError), db.transaction():
            db.execute("SELECT sluice.publish('sql.a', '4')")
            raise ZeroDivisionError
        db.execute("SELECT sluice.publish('sql.a', '5')")
    with contextlib.suppress(ZeroDivisionError), db.transaction():
        db.execute("SELECT sluice.publish('sql.a', '6')")
        raise ZeroDivisionError
    drain_all(db, writer.incarnation)
    tid = one(db, "SELECT topic_id FROM sluice.topics WHERE name = 'sql.a'")
    assert payloads(db, tid) == ['{"x" : 1}', '{"x": 2}', '{"x" : 3}', "5"], payloads(db, tid)
    assert one(
        db,
        "SELECT key, event_id, attributes FROM sluice.events WHERE topic_id = %s AND off = 2",
        tid,
    ) == ("k", "e", {"a": 1})
    for bad in (
        "'bad topic', '1'",
        "'', '1'",
        "'sluice.x', '1'",
        "'a', NULL::json",
        "'a', '{'",
        "NULL, '1'",
        "'a', '1', attributes => '[]'",
        "'a', ('\"' || repeat('x', 1048576) || '\"')::text",
    ):
        with contextlib.suppress(psycopg.Error):
            db.execute(f"SELECT sluice.publish({bad})")
            raise AssertionError(f"accepted {bad}")


@test
def bad_rows_die_with_their_reason_and_stop_nobody(url):
    db, writer = connect(url), Writer(url)
    one(db, "SELECT count(*) FROM sluice.create_topics(ARRAY['dead.quick'], true)")
    db.execute("UPDATE sluice.settings SET create_topics = false, event_bytes = 1000")
    topic(db, "dead.a")
    try:
        for name, data, event in (
            ("dead.a", "1", "e1"),
            ("dead.unknown", "2", None),
            ("dead.quick", "3", None),
            ("dead.a", "1", "e1"),
            ("dead.a", "4", "e1"),
            ("dead.a", "5", None),
        ):
            db.execute("SELECT sluice.publish(%s, %s::text, event_id => %s)", [name, data, event])
        db.execute(
            "INSERT INTO sluice.outbox(tx, topic, payload) SELECT pg_current_xact_id(), 'dead.a',"
            " to_json(repeat('x', 1000))"
        )
        *_, moved, dead, _, seq, parts = one(
            db,
            "SELECT state, moved, dead, more, seq, parts FROM sluice.drain(%s, NULL)",
            writer.incarnation,
        )
        assert (moved, dead) == (7, 3), (moved, dead)
        assert query(
            db,
            "SELECT reason, left(payload::text, 1) FROM sluice.outbox_dead WHERE topic LIKE"
            " 'dead.%%' ORDER BY id",
        ) == [
            ("topic_not_found", "2"),
            ("idempotency_conflict", "4"),
            ("event_too_large", '"'),
        ]
        assert payloads(db, topic(db, "dead.a")) == ["1", "5"]
        assert (
            one(db, "SELECT parts FROM sluice.batches WHERE writer = 0 AND seq = %s", seq) == parts
        )
    finally:
        db.execute("UPDATE sluice.settings SET create_topics = true, event_bytes = 1048576")


@test
def what_is_nested_too_deep_is_not_drained(url):
    db, writer = connect(url), Writer(url)
    state, _ = drain_all(db, writer.incarnation)
    wide, strings = json.dumps([[{"a": "[[{{"}]] * 600), json.dumps(
        ['\\"[{' * 1200, "]" * 600, "\\"]
    )
    good = [
        "[" * 512 + "]" * 512,
        '{"a":[' * 256 + "]}" * 256,
        wide,
        strings,
        '["' + "[" * 2000 + '"]',
        "[" + "[]," * 9 + "[" * 511 + "]" * 512,
    ]
    bad = [
        "[" * 513 + "]" * 513,
        '{"a":[' * 256 + '{"\\"[":1}' + "]}" * 256,
        '["\\\\",' + "[" * 512 + "]" * 513,
        "[" * 3000 + "]" * 3000,
    ]
    for data in good + bad:
        db.execute("SELECT sluice.publish('deep', %s::text)", [data])
    db.execute(
        "SELECT sluice.publish('deep', '1', attributes => %s)",
        ['{"a":' + "[" * 513 + "]" * 513 + "}"],
    )
    assert one(db, "SELECT moved, dead FROM sluice.drain(%s, %s)", writer.incarnation, state) == (
        11,
        5,
    )
    assert payloads(db, topic(db, "deep")) == good
    assert [
        r[0]
        for r in query(
            db,
            "SELECT payload::text FROM sluice.outbox_dead WHERE topic = 'deep' AND reason ="
            " 'invalid_json' ORDER BY id",
        )
    ] == [*bad, "1"]


@test
def a_topic_may_take_larger_or_smaller_events(url):
    db, writer = connect(url), Writer(url)
    small, large = topic(db, "size.small"), topic(db, "size.large")
    state, _ = drain_all(db, writer.incarnation)
    publish = "SELECT sluice.publish(%s, to_json(repeat('x', %s)), key => %s)"
    db.execute(publish, ["size.small", 50, None])
    alter(db, small, event_bytes=20)
    alter(db, large, event_bytes=2000000)
    refused("54000", db.execute, publish, ["size.small", 19, None])
    refused("54000", db.execute, publish, ["size.small", 17, "key"])
    db.execute(publish, ["size.small", 15, "key"])
    db.execute(publish, ["size.large", 1900000, None])
    assert one(db, "SELECT moved, dead FROM sluice.drain(%s, %s)", writer.incarnation, state) == (
        3,
        1,
    )
    assert [len(payloads(db, t)) for t in (small, large)] == [1, 1]
    assert query(db, "SELECT reason FROM sluice.outbox_dead WHERE topic = 'size.small'") == [
        ("event_too_large",)
    ]


@test
def a_watched_table_publishes_its_changes_in_order(url):
    db, writer = connect(url), Writer(url)
    db.execute(
        "CREATE TABLE public.goods (id int PRIMARY KEY, name text, price numeric, secret text)"
    )
    db.execute(
        "SELECT sluice.watch_table('public.goods', 'goods.changes', 'id', ARRAY['id', 'price'])"
    )
    db.execute("INSERT INTO goods SELECT i, 'n' || i, i * 1.50, 's' FROM generate_series(1, 3) i")
    with db.transaction():
        db.execute("UPDATE goods SET price = price + 1, secret = 't' WHERE id > 1")
        db.execute("UPDATE goods SET secret = 'u'")  # no watched column changes
        db.execute("UPDATE goods SET id = id + 10")  # the key changes, too
        db.execute("DELETE FROM goods WHERE id = 12")
        db.execute("TRUNCATE goods")
    drain_all(db, writer.incarnation)
    rows = query(
        db,
        "SELECT key, payload FROM sluice.events WHERE topic_id = %s ORDER BY off",
        topic(db, "goods.changes"),
    )
    brief = [
        (key, p["op"], *(p[x] and (p[x]["id"], p[x]["price"]) for x in ("old", "new")))
        for key, p in rows
    ]
    assert brief == [
        ("1", "insert", None, (1, 1.5)),
        ("2", "insert", None, (2, 3)),
        ("3", "insert", None, (3, 4.5)),
        ("2", "update", (2, 3), (2, 4)),
        ("3", "update", (3, 4.5), (3, 5.5)),
        ("11", "update", (1, 1.5), (11, 1.5)),
        ("12", "update", (2, 4), (12, 4)),
        ("13", "update", (3, 5.5), (13, 5.5)),
        ("12", "delete", (12, 4), None),
        (None, "truncate", None, None),
    ], brief
    assert (
        set(rows[0][1]) == {"op", "old", "new", "table", "at"}
        and rows[0][1]["table"] == "public.goods"
    )
    assert set(rows[0][1]["new"]) == {"id", "price"}, "other columns leaked"
    db.execute("INSERT INTO goods VALUES (1, 'a', 1, 'x') ON CONFLICT (id) DO UPDATE SET price = 2")
    db.execute("INSERT INTO goods VALUES (1, 'a', 1, 'x') ON CONFLICT (id) DO UPDATE SET price = 2")
    assert [r[0] for r in query(db, "SELECT payload->>'op' FROM sluice.outbox ORDER BY id")] == [
        "insert",
        "update",
    ]
    refused("42703", db.execute, "SELECT sluice.watch_table('public.goods', 'x', 'nope')")
    assert one(db, "SELECT sluice.unwatch_table('public.goods')") == 2
    db.execute("DELETE FROM goods")
    assert one(db, "SELECT count(*) FROM sluice.outbox") == 2
    drain_all(db, writer.incarnation)


@test
def a_publisher_may_only_publish(url):
    db, writer = connect(url), Writer(url)
    db.execute(
        "DO $$BEGIN CREATE ROLE sluice_test_app LOGIN; EXCEPTION WHEN duplicate_object THEN NULL;"
        " END$$"
    )
    db.execute("GRANT sluice_publisher TO sluice_test_app")
    app = connect(url)
    app.execute("SET ROLE sluice_test_app")
    app.execute(
        "SELECT sluice.publish('app.a', '1'), sluice.publish('app.a', '2'::json),"
        " sluice.publish('app.a', '3'::jsonb)"
    )
    every = query(
        db,
        """SELECT format('SELECT sluice.%s(%s)', proname, (
          SELECT string_agg('NULL::' || format_type(a, NULL), ', ') FROM unnest(p.proargtypes) a))
        FROM pg_proc p WHERE pronamespace = 'sluice'::regnamespace AND prokind = 'f'
        AND proname <> 'publish' AND prorettype <> 'trigger'::regtype""",
    )
    assert len(every) > 20
    for (call,) in every:
        refused("42501", app.execute, call)
    for (table,) in query(
        db,
        "SELECT 'sluice.' || relname FROM pg_class WHERE relnamespace = 'sluice'::regnamespace AND"
        " relkind IN ('r', 'p')",
    ):
        for statement in (
            f"SELECT * FROM {table}",
            f"DELETE FROM {table}",
            f"INSERT INTO {table} DEFAULT VALUES",
        ):
            refused("42501", app.execute, statement)
    app.execute("RESET ROLE")
    db.execute(
        "DO $$BEGIN CREATE ROLE sluice_test_nobody; EXCEPTION WHEN duplicate_object THEN NULL;"
        " END$$"
    )
    app.execute("SET ROLE sluice_test_nobody")
    refused("42501", app.execute, "SELECT sluice.publish('app.a', '1')")
    # A hostile search path must not reach into the definer's functions.
    app.execute("RESET ROLE")
    drain_all(db, writer.incarnation)
    assert payloads(db, topic(db, "app.a")) == ["1", "2", "3"]
