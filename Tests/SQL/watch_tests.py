"""watch_table: tables of every kind, and what installing it takes."""

from harness import *


def told(db, writer, name):
    """The changes that a topic tells: (key, op, old, new, table)."""
    drain_all(db, writer.incarnation)
    return [
        (key, p["op"], p["old"], p["new"], p["table"])
        for key, p in query(
            db,
            "SELECT key, payload FROM sluice.events WHERE topic_id = %s ORDER BY off",
            topic(db, name),
        )
    ]


@test
def a_partitioned_table_is_watched_with_its_partitions(url):
    db, writer = connect(url), Writer(url)
    db.execute("SET search_path = public")
    db.execute("CREATE TABLE parts (id int, name text) PARTITION BY RANGE (id)")
    db.execute("CREATE TABLE parts_a PARTITION OF parts FOR VALUES FROM (0) TO (100)")
    db.execute(
        "CREATE TABLE parts_b PARTITION OF parts FOR VALUES FROM (100) TO (200) PARTITION BY RANGE"
        " (id)"
    )
    db.execute("CREATE TABLE parts_b1 PARTITION OF parts_b FOR VALUES FROM (100) TO (150)")
    db.execute("SELECT sluice.watch_table('parts', 'watch.parts', 'id')")
    db.execute("CREATE TABLE parts_b2 PARTITION OF parts_b FOR VALUES FROM (150) TO (200)")
    db.execute("CREATE TABLE parts_c (id int, name text)")
    db.execute("INSERT INTO parts_c VALUES (200, 'before')")
    db.execute("ALTER TABLE parts ATTACH PARTITION parts_c FOR VALUES FROM (200) TO (300)")
    db.execute("INSERT INTO parts VALUES (1, 'a'), (101, 'b'), (151, 'c'), (201, 'd')")
    db.execute("UPDATE parts SET name = 'e' WHERE id = 151")
    db.execute("UPDATE parts SET id = 2 WHERE id = 201")  # moves to another partition
    db.execute("DELETE FROM parts_b1 WHERE id = 101")  # said of the partition itself
    db.execute("TRUNCATE parts")
    row = lambda i, n: {"id": i, "name": n}
    assert told(db, writer, "watch.parts") == [
        ("1", "insert", None, row(1, "a"), "public.parts"),
        ("101", "insert", None, row(101, "b"), "public.parts"),
        ("151", "insert", None, row(151, "c"), "public.parts"),
        ("201", "insert", None, row(201, "d"), "public.parts"),
        ("151", "update", row(151, "c"), row(151, "e"), "public.parts"),
        ("201", "delete", row(201, "d"), None, "public.parts"),
        ("2", "insert", None, row(2, "d"), "public.parts"),
        ("101", "delete", row(101, "b"), None, "public.parts"),
        (None, "truncate", None, None, "public.parts"),
    ], told(db, writer, "watch.parts")
    # A table has one watch, itself or through its partitioned table.
    refused("55000", db.execute, "SELECT sluice.watch_table('parts_b1', 'watch.other')")
    refused("55000", db.execute, "SELECT sluice.watch_table('parts_b', 'watch.other')")
    # Watched anew with other columns, in all partitions.
    db.execute("SELECT sluice.watch_table('parts', 'watch.parts2', 'name', '{name}')")
    db.execute("INSERT INTO parts VALUES (3, 'f'), (152, 'g')")
    assert told(db, writer, "watch.parts2") == [
        ("f", "insert", None, {"name": "f"}, "public.parts"),
        ("g", "insert", None, {"name": "g"}, "public.parts"),
    ]
    assert one(db, "SELECT sluice.unwatch_table('parts')") == 2
    db.execute("DELETE FROM parts")
    assert len(told(db, writer, "watch.parts2")) == 2
    db.execute("SELECT sluice.watch_table('parts_b1', 'watch.parts3')")
    refused("55000", db.execute, "SELECT sluice.watch_table('parts', 'watch.other')")
    db.execute("INSERT INTO parts VALUES (4, 'h'), (102, 'i')")
    assert told(db, writer, "watch.parts3") == [
        (None, "insert", None, row(102, "i"), "public.parts_b1")
    ], told(db, writer, "watch.parts3")


@test
def generated_columns_and_copy_are_told(url):
    db, writer = connect(url), Writer(url)
    db.execute(
        'CREATE TABLE public."Odd Names" ("the id" int GENERATED ALWAYS AS IDENTITY, price int,'
        " twice int GENERATED ALWAYS AS (price * 2) STORED, note text DEFAULT 'n')"
    )
    db.execute(
        """SELECT sluice.watch_table('"Odd Names"', 'watch.odd', 'the id', '{"the id",twice}')"""
    )
    with db.cursor().copy('COPY "Odd Names" (price) FROM STDIN') as copy:
        copy.write("1\n2\n")
    db.execute("""UPDATE "Odd Names" SET note = 'm'""")  # nothing that is watched
    db.execute("""UPDATE "Odd Names" SET price = 5 WHERE price = 2""")
    row = lambda i, t: {"the id": i, "twice": t}
    table = 'public."Odd Names"'
    assert told(db, writer, "watch.odd") == [
        ("1", "insert", None, row(1, 2), table),
        ("2", "insert", None, row(2, 4), table),
        ("2", "update", row(2, 4), row(2, 10), table),
    ]


@test
def a_watch_that_stands_takes_no_lock(url):
    db, other = connect(url), connect(url, autocommit=False)
    db.execute("CREATE TABLE public.still (id int PRIMARY KEY, name text)")
    watch = "SELECT sluice.watch_table('still', 'watch.still', 'id', '{id,name}')"
    db.execute(watch)
    other.execute("INSERT INTO still VALUES (1, 'a')")  # a transaction that stays open
    db.execute("SET lock_timeout = '100ms'")
    with db.transaction():
        db.execute(watch)
        assert (
            one(
                db,
                "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation ="
                " 'still'::regclass AND mode <> 'AccessShareLock'",
            )
            == 0
        )
    # The caller's own bound holds, and is what it was behind the call.
    start = time.time()
    refused("55P03", db.execute, watch.replace("'id',", "NULL,"))
    assert time.time() - start < 1.5
    assert one(db, "SHOW lock_timeout") == "100ms"
    # Without one there is a bound all the same.
    db.execute("SET lock_timeout = 0")
    for change in (watch.replace("'id',", "NULL,"), "SELECT sluice.unwatch_table('still')"):
        start = time.time()
        refused("55P03", db.execute, change)
        assert 1.5 < time.time() - start < 10
        assert one(db, "SHOW lock_timeout") == "0"
    # A trigger that somebody disabled is not a watch that stands.
    other.rollback()
    db.execute("ALTER TABLE still DISABLE TRIGGER sluice_watch")
    with db.transaction():
        db.execute(watch)
        assert one(db, "SHOW lock_timeout") == "0"
    db.execute("INSERT INTO still VALUES (2, 'b')")
    assert one(db, "SELECT count(*) FROM sluice.outbox WHERE topic = 'watch.still'") == 1
    assert one(db, "SELECT sluice.unwatch_table('still')") == 2
    assert one(db, "SELECT sluice.unwatch_table('still')") == 0
    drain_all(db, Writer(url).incarnation)


@test
def triggers_never_notify(url):
    db, listener = connect(url), connect(url)
    db.execute("CREATE TABLE public.quiet (id int)")
    db.execute("SELECT sluice.watch_table('quiet', 'watch.quiet')")
    heard = []
    listener.add_notify_handler(heard.append)
    listener.execute("LISTEN sluice_outbox")
    db.execute("INSERT INTO quiet VALUES (1)")
    db.execute("UPDATE quiet SET id = 2")
    db.execute("DELETE FROM quiet")
    db.execute("TRUNCATE quiet")
    db.execute("SELECT sluice.publish('watch.quiet', '1')")
    db.execute("SELECT sluice.publish('watch.quiet', '2', wake => true)")
    eventually(lambda: listener.execute("SELECT") and heard)
    assert len(heard) == 1 and one(db, "SELECT count(*) FROM sluice.outbox") == 6
    drain_all(db, Writer(url).incarnation)
