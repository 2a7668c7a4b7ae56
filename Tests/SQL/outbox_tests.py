"""Who may publish from SQL, and what becomes of events that were refused."""

import servers
from harness import *


def role(db):
    return one(db, "SELECT count(*) FROM pg_roles WHERE rolname = 'sluice_publisher'")


@test
def refused_events_are_retried_in_their_order_or_discarded(url):
    db, writer = connect(url), Writer(url)
    drain_all(db, writer.incarnation)
    db.execute("UPDATE sluice.settings SET create_topics = false")
    try:
        for data in ("1", "2", "3", "4"):
            db.execute(
                "SELECT sluice.publish('retry.a', %s::text, key => 'k' || %s, event_id => 'e' ||"
                " %s, attributes => '{\"a\":1}')",
                [data, data, data],
            )
        drain_all(db, writer.incarnation)
    finally:
        db.execute("UPDATE sluice.settings SET create_topics = true")
    ids = [
        row[0] for row in query(db, "SELECT id FROM sluice.outbox_dead WHERE topic = 'retry.a'")
    ]
    assert len(ids) == 4
    db.execute("SELECT sluice.publish('retry.a', '5')")
    assert one(db, "SELECT sluice.outbox_discard(%s)", [ids[1]]) == 1
    assert one(db, "SELECT sluice.outbox_retry(%s)", [ids[2], ids[0], ids[1]]) == 2
    assert one(db, "SELECT sluice.outbox_retry(%s)", ids[:3]) == 0
    drain_all(db, writer.incarnation)
    assert query(
        db,
        "SELECT payload::text, key, event_id, attributes::text FROM sluice.events WHERE topic_id ="
        " %s ORDER BY off",
        topic(db, "retry.a"),
    ) == [
        ("5", None, None, None),
        ("1", "k1", "e1", '{"a":1}'),
        ("3", "k3", "e3", '{"a":1}'),
    ]
    assert query(db, "SELECT id FROM sluice.outbox_dead WHERE topic = 'retry.a'") == [(ids[3],)]
    # One transaction: what fails leaves all of it.
    with contextlib.suppress(ZeroDivisionError), db.transaction():
        db.execute("SELECT sluice.outbox_retry(%s)", [ids])
        raise ZeroDivisionError
    assert one(db, "SELECT sluice.outbox_discard(%s)", ids) == 1


@test
def the_role_of_publishers_is_made_where_that_is_allowed(url):
    with servers.Server("roles").start() as server:
        db = connect(server.url)
        db.execute("CREATE ROLE plain LOGIN")
        for name in ("one", "two", "three"):
            db.execute(f"CREATE DATABASE {name} OWNER plain")
        at = lambda name, user="plain": f"{server.url} dbname={name} user={user}"
        migrate = lambda name, user="plain": subprocess.run(
            [ARGUMENTS.sluice, "migrate", "--database-url", at(name, user)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        # Not allowed: everything works, and it is said what is missing.
        done = migrate("one")
        assert done.returncode == 0 and "CREATE ROLE sluice_publisher NOLOGIN" in done.stderr, done
        assert role(db) == 0
        owner = connect(at("one"))
        owner.execute("SELECT sluice.publish('mine', '1')")
        # Somebody else made it: the next call gives it its right.
        db.execute("CREATE ROLE sluice_publisher NOLOGIN")
        done = migrate("one")
        assert done.returncode == 0 and not done.stderr, done
        # It exists before the database has a log, made by another one.
        done = migrate("two")
        assert done.returncode == 0 and not done.stderr, done
        db.execute("CREATE ROLE app LOGIN IN ROLE sluice_publisher")
        for name in ("one", "two"):
            app = connect(at(name, "app"))
            app.execute("SELECT sluice.publish('app', '1'), sluice.publish('app', '2'::jsonb)")
            refused("42501", app.execute, "SELECT * FROM sluice.outbox")
            refused("42501", app.execute, "SELECT sluice.outbox_discard('{1}')")
            refused("42501", app.execute, "SELECT sluice.ensure_publisher()")
            app.close()
        # Several databases at once, where it is allowed.
        for name in ("one", "two", "postgres"):
            connect(at(name, "sluice")).execute("DROP OWNED BY sluice_publisher")
        db.execute("DROP ROLE sluice_publisher")
        databases = [f"many{i}" for i in range(4)]
        for name in databases:
            db.execute(f"CREATE DATABASE {name}")
        for work in [Background(migrate, name, "sluice") for name in databases]:
            done = work.result()
            assert done.returncode == 0 and not done.stderr, done
        assert role(db) == 1
        for name in databases:
            app = connect(at(name, "app"))
            refused("42501", app.execute, "SELECT sluice.publish('app', '1')")
            connect(at(name, "sluice")).execute("GRANT sluice_publisher TO app")
            app.execute("SELECT sluice.publish('app', '1')")
            db.execute("REVOKE sluice_publisher FROM app")
            app.close()
