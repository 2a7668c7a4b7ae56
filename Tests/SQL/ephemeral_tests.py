"""Ephemeral topics."""

from harness import *


@test
def ephemeral_events_travel_in_their_notification(url):
    db, writer, listener = connect(url), Writer(url), connect(url)
    quick = one(db, "SELECT topic_id FROM sluice.create_topics(ARRAY['quick.a'], true)")
    told = []
    listener.add_notify_handler(lambda n: told.append(n.payload.split(" ", 3)))
    listener.execute("LISTEN sluice_ephemeral")
    large = json.dumps("é" * 5000, ensure_ascii=False)
    assert one(
        db,
        EMIT,
        writer.incarnation,
        [quick, 999999],
        [1, 1, 1, 2],
        [1, 2, 3, 1],
        ['{"a" : null}', large, "3", "4"],
        ["k", None, None, None],
    ) == [0, None]
    refused("SL001", one, db, EMIT, "0000000000", [quick], [1], [1], ["1"], [None])
    with contextlib.suppress(ZeroDivisionError), db.transaction():
        one(db, EMIT, writer.incarnation, [quick], [1], [1], ["1"], [None])
        raise ZeroDivisionError
    workers = [
        Background(
            lambda: [
                one(connect(url), EMIT, writer.incarnation, [quick], [1], [1], ["1"], [None])
                for _ in range(20)
            ]
        )
        for _ in range(4)
    ]
    for worker in workers:
        worker.result()
    listener.execute("SELECT")  # what was committed before comes with the answer
    assert [int(x[2]) for x in told] == list(range(1, 84)), "dense, in order, without the aborted"
    assert all(x[0] == writer.incarnation and int(x[1]) == quick for x in told)
    first = told[0][3]
    assert (
        first.endswith(',"data":{"a" : null}}')
        and json.loads(first)["key"] == "k"
        and "event_id" not in json.loads(first)
    )
    assert len(told[1]) == 3, "too large"
    assert (
        one(db, "SELECT event->>'data' FROM sluice.ephemera WHERE topic_id = %s AND off = 2", quick)
        == "é" * 5000
    )
    assert writer.append(Request(quick, ["1"]))["status"] == "unknown_topic", "not a durable topic"
    assert one(db, "SELECT sluice.fade('0')") >= 82
    assert one(db, EMIT, writer.incarnation, [quick], [1], [1], ["1"], [None]) == [83]


@test
def an_ephemeral_topic_goes_on_within_its_incarnation(url):
    db, writer = connect(url), Writer(url)
    quick, calm = (
        r[0]
        for r in query(
            db,
            "SELECT topic_id FROM sluice.create_topics(ARRAY['quick.resume', 'quick.calm'], true)"
            " ORDER BY 1",
        )
    )
    one(db, EMIT, writer.incarnation, [quick], [1] * 5, [1, 2, 3, 4, 5], ["1"] * 5, [None] * 5)
    one(db, "SELECT sluice.fade('0')")

    def resume(tid, incarnation, after):
        return one(db, f"SELECT * FROM sluice.resume({NOW}, %s, %s, %s)", tid, incarnation, after)

    old = writer.incarnation
    assert resume(quick, old, 2) == (True, 2), "3 to 5 are a gap"
    assert resume(quick, old, 5) == (True, 5) and resume(quick, old, 6) == (False, 5)
    ts = one(db, "SELECT ts FROM sluice.ephemera WHERE topic_id = %s AND off = 5", quick)
    assert one(db, "SELECT * FROM sluice.ends(%s, %s)", old, quick) == (6, 5, 1, ts)
    assert query(db, "SELECT * FROM sluice.heads(%s, %s) ORDER BY 1", old, [quick, calm]) == [
        (quick, 6, 5, 1, ts),
        (calm, 1, 0, 1, None),
    ]
    assert (
        one(db, "SELECT sluice.offset_as_of(%s, %s, %s, '-infinity')", old, quick, old) == 6
    ), "nothing to read again"
    db.execute(
        "UPDATE sluice.ephemera SET ts = ts + interval '1 hour' WHERE topic_id = %s", [quick]
    )
    times = one(
        db,
        "SELECT at FROM sluice.emit(%s, %s::int[], '{1,2}', '{1,1}', '{1,1}'::json[])",
        old,
        [quick, calm],
    )
    assert (
        times[0] == ts + datetime.timedelta(hours=1) > times[1]
    ), "its time does not fall, and infects no other"
    db.execute("TRUNCATE sluice.marker")
    new = one(db, "SELECT incarnation FROM sluice.incarnation()")
    assert one(db, EMIT, new, [quick], [1], [1], ["1"], [None]) == [0]
    assert [resume(quick, old, x)[0] for x in (0, 1, 5)] == [False] * 3, "another incarnation"
    assert (
        resume(quick, new, 0) == (True, 0)
        and resume(quick, new, 1) == (True, 1)
        and resume(quick, new, 2) == (False, 1)
    )


@test
def the_outbox_of_an_ephemeral_topic_is_told_and_not_kept(url):
    db, writer, listener = connect(url), Writer(url), connect(url)
    state, _ = drain_all(db, writer.incarnation)
    quick = one(db, "SELECT topic_id FROM sluice.create_topics(ARRAY['quick.outbox'], true)")
    other = one(db, "SELECT topic_id FROM sluice.create_topics(ARRAY['quick.other'], true)")
    told = []
    listener.add_notify_handler(lambda n: told.append(n.payload.split(" ", 3)))
    listener.execute("LISTEN sluice_ephemeral")
    for name, data, key in (
        ("quick.outbox", "1", "k"),
        ("slow.outbox", "2", None),
        ("quick.other", "3", None),
        ("quick.outbox", "4", None),
    ):
        db.execute("SELECT sluice.publish(%s, %s::text, key => %s)", [name, data, key])
    moved, dead = one(
        db, "SELECT moved, dead FROM sluice.drain(%s, %s)", writer.incarnation, state
    )
    assert (moved, dead) == (4, 0)
    listener.execute("SELECT")
    assert [(int(x[1]), int(x[2]), json.loads(x[3])["data"]) for x in told] == [
        (quick, 1, 1),
        (quick, 2, 4),
        (other, 1, 3),
    ]
    assert json.loads(told[0][3])["key"] == "k"
    assert payloads(db, topic(db, "slow.outbox")) == ["2"]
    assert one(db, "SELECT count(*) FROM sluice.events WHERE topic_id IN (%s, %s)", quick, other) == 0
