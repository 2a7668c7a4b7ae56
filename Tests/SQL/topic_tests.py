"""Topics, their settings and their catalog."""

from harness import *


@test
def no_node_misses_a_topic(url):
    db, stop = connect(url), threading.Event()
    start = one(db, "SELECT version FROM sluice.catalog")

    def create(number):
        session = connect(url, autocommit=False)
        for i in range(40):
            rows = query(
                session,
                "SELECT name, topic_id FROM sluice.create_topics(ARRAY[%s, %s])",
                f"catalog.{number}.{i}",
                f"catalog.same.{i}",
            )
            assert len(rows) == 2
            if i % 7 == 3:
                time.sleep(0.02)
            session.rollback() if i % 10 == 9 else session.commit()

    def poll():
        session, version, seen = connect(url), start, {}
        while True:
            over = stop.is_set()
            rows = query(
                session,
                "SELECT topic_id, version, deleted_at FROM sluice.topics WHERE version > %s",
                version,
            )
            for tid, v, deleted in rows:
                seen[tid], version = deleted, max(version, v)
            if over and not rows:
                return seen

    poller = Background(poll)
    for creator in [Background(create, n) for n in range(4)]:
        creator.result()
    gone = one(db, "SELECT topic_id FROM sluice.topics WHERE name = 'catalog.same.1'")
    one(db, "SELECT sluice.delete_topic(%s)", gone)
    stop.set()
    seen = poller.result()
    exist = {
        row[0] for row in query(db, "SELECT topic_id FROM sluice.topics WHERE version > %s", start)
    }
    assert set(seen) == exist, "a topic was missed"
    assert seen[gone] is not None and sum(x is not None for x in seen.values()) == 1
    names = one(
        db,
        "SELECT count(*), count(DISTINCT name) FROM sluice.topics WHERE deleted_at IS NULL AND name"
        " LIKE 'catalog.%%'",
    )
    assert names[0] == names[1]


@test
def a_deleted_topic_goes_name_first_and_its_successor_starts_anew(url):
    db, writer = connect(url), Writer(url)
    tid = topic(db, "deleted.a")
    writer.append(*[Request(tid, ["1"]) for _ in range(30)])
    slow = Writer(url, autocommit=False)
    slow.append(Request(tid, ["2"]))
    deletion = Background(one, db, "SELECT sluice.delete_topic(%s)", tid)
    assert deletion.blocked(), "an append in flight is waited for"
    slow.connection.commit()
    assert deletion.result() is not None
    assert one(db, "SELECT sluice.delete_topic(%s)", tid) is None, "once only"
    assert writer.append(Request(tid, ["3"]))["status"] == "unknown_topic"
    assert query(db, "SELECT * FROM sluice.read_page(%s, %s, 0)", writer.incarnation, tid) == []
    heir = topic(db, "deleted.a")
    assert heir != tid and writer.append(Request(heir, ["1"]))["first"] == 1
    steps = []
    while step := one(db, "SELECT sluice.retain(%s, 10)", tid):
        steps.append(step)
    assert steps == [10, 10, 10, 1] and offsets(db, tid) == []
    db.execute(
        "UPDATE sluice.topics SET deleted_at = deleted_at - interval '8 days' WHERE topic_id = %s",
        [tid],
    )
    one(db, "SELECT sluice.forget()")
    assert one(db, "SELECT count(*) FROM sluice.topics WHERE topic_id = %s", tid) == 0
    assert kept(db, heir) == [1]


@test
def an_emptied_topic_goes_when_it_is_deleted(url):
    db, writer = connect(url), Writer(url)
    for name in ("retention", "purge"):
        tid = topic(db, f"emptied.{name}")
        writer.append(Request(tid, ["1", "2"]))
        (
            alter(db, tid, retain_count=0)
            if name == "retention"
            else one(db, "SELECT sluice.purge(%s, 3)", tid)
        )
        retain_all(db, tid)
        assert offsets(db, tid) == [2] and payloads(db, tid) == ["null"]
        one(db, "SELECT sluice.delete_topic(%s)", tid)
        retain_all(db, tid)
        assert offsets(db, tid) == [], "its newest row stays for ever"
        db.execute(
            "UPDATE sluice.topics SET deleted_at = deleted_at - interval '8 days' WHERE topic_id"
            " = %s",
            [tid],
        )
        one(db, "SELECT sluice.forget()")
        assert one(db, "SELECT count(*) FROM sluice.topics WHERE topic_id = %s", tid) == 0


@test
def settings_are_altered_one_by_one(url):
    db = connect(url)
    tid = topic(db, "alter.a")

    def row(columns):
        return one(db, f"SELECT {columns} FROM sluice.topics WHERE topic_id = %s", tid)

    assert row("retain_count, event_bytes, overflow, description, revision") == (
        None,
        None,
        None,
        "",
        1,
    )
    version = one(db, "SELECT version FROM sluice.catalog")
    assert (
        alter(
            db,
            tid,
            retain_age="1 hour",
            retain_count=5,
            description="é",
            overflow=["replay", "conflate"],
            event_bytes=100,
        )
        == version + 1
    )
    assert (
        alter(db, tid, retain_age=None, retain_bytes="unlimited", description=None) == version + 2
    )
    assert row(
        "retain_age, retain_count, retain_bytes, event_bytes, overflow, description, revision,"
        " version"
    ) == (None, 5, -1, 100, ["replay", "conflate"], "", 3, version + 2)
    alter(db, tid, retain_age="unlimited", overflow=None)
    assert row("retain_age = '-1 s', retain_count, overflow") == (True, 5, None)
    error = refused("22023", alter, db, tid, retain_age="1 hour", retain_time=5, name="x")
    assert "name, retain_time" in str(error), error
    for wrong in (
        {"retain_count": -2},
        {"overflow": ["nope"]},
        {"overflow": []},
        {"event_bytes": 0},
        {"retain_age": "0"},
    ):
        refused("23514", alter, db, tid, **wrong)
    refused("SL006", alter, db, tid, revision=3, retain_count=6)
    assert row("retain_count, revision") == (5, 4) and alter(db, tid, revision=4, retain_count=6)
    assert alter(db, 999999, retain_count=6) is None
    assert alter(db, tid) and row("retain_count, revision") == (6, 6), "nothing to change"
    # The default holds where a topic says nothing, and "unlimited" is an answer.
    writer, ids = Writer(url), {}
    for name, changes in (
        ("default", {}),
        ("own", {"retain_count": 7}),
        ("unlimited", {"retain_count": "unlimited"}),
    ):
        ids[name] = topic(db, f"alter.{name}")
        alter(db, ids[name], **changes)
        writer.append(*[Request(ids[name], ["1"])] * 10)
        db.execute(
            "UPDATE sluice.events SET ts = clock_timestamp() - (10 - off) * interval '1 minute'"
            " WHERE topic_id = %s",
            [ids[name]],
        )
    try:
        for setting, value, counts in (
            ("count", 3, (3, 7, 10)),
            ("bytes", 2, (2, 2, 2)),
            ("age", "90 s", (2, 2, 2)),
        ):
            db.execute(
                "UPDATE sluice.settings SET default_retain_count = NULL, default_retain_bytes ="
                " NULL"
            )
            db.execute(f"UPDATE sluice.settings SET default_retain_{setting} = %s", [value])
            for (name, tid), count in zip(ids.items(), counts):
                retain_all(db, tid, 4)
                assert kept(db, tid) == list(range(11 - count, 11)), (setting, name, kept(db, tid))
            if setting == "count":
                for tid in ids.values():
                    alter(db, tid, retain_age="unlimited")
        for tid in ids.values():
            alter(db, tid, retain_bytes="unlimited")
            writer.append(*[Request(tid, ["1"])] * 10)
        db.execute(
            "UPDATE sluice.settings SET default_retain_age = '1 microsecond',"
            " default_retain_bytes = 0"
        )
        retain_all(db, ids["unlimited"])
        assert len(kept(db, ids["unlimited"])) == 12, "unlimited in age and bytes, too"
    finally:
        db.execute(
            "UPDATE sluice.settings SET default_retain_age = NULL, default_retain_count = NULL,"
            " default_retain_bytes = NULL"
        )


@test
def a_gap_tells_purged_from_retention(url):
    db, writer = connect(url), Writer(url)
    tid = topic(db, "gap.why")
    writer.append(Request(tid, ["1"] * 10))
    one(db, "SELECT sluice.purge(%s, 4)", tid)
    alter(db, tid, retain_count=5)
    retain_all(db, tid)
    page = query(
        db,
        "SELECT earliest, latest, purged_below, off FROM sluice.read_page(%s, %s, 1, 2)",
        writer.incarnation,
        tid,
    )
    assert page == [(6, 10, 4, 6), (6, 10, 4, 7)], "2 and 3 were purged, 4 and 5 taken by retention"
    assert one(
        db,
        "SELECT earliest, latest, purged_below FROM sluice.ends(%s, %s)",
        writer.incarnation,
        tid,
    ) == (6, 10, 4)
