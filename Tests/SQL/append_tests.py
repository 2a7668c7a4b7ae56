"""append: offsets, statuses, keys, time."""

from harness import *


@test
def offsets_are_dense_and_ordered_with_concurrent_writers_and_aborts(url):
    db = connect(url)
    tids = [topic(db, f"dense.{i}") for i in range(5)]
    stop, acknowledged, seed = threading.Event(), collections.Counter(), random.random()

    def write(number):
        rng, writer = random.Random(f"{seed}{number}"), Writer(url, autocommit=False)
        for _ in range(150):
            requests = [
                Request(
                    rng.choice(tids),
                    [json.dumps({"w": number, "é": "x" * rng.randrange(60)}, ensure_ascii=False)]
                    * rng.randint(1, 3),
                )
                for _ in range(rng.randint(1, 6))
            ]
            writer.append(*requests)
            if rng.random() < 0.3:
                writer.connection.rollback()
            else:
                writer.connection.commit()
                for request in requests:
                    acknowledged[request.parts[0][0]] += len(request.parts[0][1])

    def follow(tid):
        reader, last = connect(url), 0
        while True:
            over = stop.is_set()
            rows = query(reader, f"SELECT off FROM sluice.read_page({NOW}, %s, %s, 100)", tid, last)
            for (off,) in rows:
                if off is None:
                    if over:
                        return last
                    break
                assert off == last + 1, f"{off} after {last}"
                last = off

    readers = [Background(follow, tid) for tid in tids]
    writers = [Background(write, number) for number in range(4)]
    for writer in writers:
        writer.result(120)
    stop.set()
    for tid, reader in zip(tids, readers):
        assert (
            reader.result() == acknowledged[tid] == len(offsets(db, tid))
        ), "acknowledged and read differ"
        assert offsets(db, tid) == list(range(1, acknowledged[tid] + 1))
    wrong = one(
        db,
        """SELECT count(*) FROM (SELECT ts < lag(ts) OVER w AS fell,
        cum <> sum(octet_length(payload::text)) OVER w AS miscounted FROM sluice.events
        WHERE topic_id = ANY (%s) WINDOW w AS (PARTITION BY topic_id ORDER BY off)) x
        WHERE fell OR miscounted""",
        tids,
    )
    assert wrong == 0, f"{wrong} rows whose time fell or whose bytes are miscounted"


@test
def the_journal_names_every_append_once_and_followers_see_it(url):
    writer, db = Writer(url), connect(url)
    tid = topic(db, "journal.a")
    for i in range(5):
        writer.append(Request(tid, ["1", "2"]))
    rows = query(
        db,
        "SELECT writer, seq, parts FROM sluice.follow(%s, %s, %s) WHERE writer = %s",
        writer.incarnation,
        [writer.id],
        [2],
        writer.id,
    )
    assert rows == [
        (writer.id, 3, f"{tid}:5-6"),
        (writer.id, 4, f"{tid}:7-8"),
        (writer.id, 5, f"{tid}:9-10"),
    ], rows
    assert (
        len(
            query(
                db,
                "SELECT FROM sluice.follow(%s, '{}', '{}') WHERE writer = %s",
                writer.incarnation,
                writer.id,
            )
        )
        == 5
    ), "an unknown writer"
    assert not query(
        db,
        "SELECT FROM sluice.follow(%s, %s, %s) WHERE writer = %s",
        writer.incarnation,
        [writer.id],
        [5],
        writer.id,
    )
    db.execute(
        "UPDATE sluice.batches SET at = at - interval '2 hours' WHERE writer = %s AND seq <= 3",
        [writer.id],
    )
    assert one(db, "SELECT sluice.forget()") == 3
    assert [
        r[0]
        for r in query(db, "SELECT seq FROM sluice.batches WHERE writer = %s ORDER BY 1", writer.id)
    ] == [4, 5]


@test
def every_status_is_told_and_fails_nobody_else(url):
    writer, db = Writer(url), connect(url)
    a, b, gone = topic(db, "status.a"), topic(db, "status.b"), topic(db, "status.gone")
    one(db, "SELECT sluice.delete_topic(%s)", gone)
    first = writer.append(Request(a, ["1", "2"], key="k"))
    assert (first["status"], first["first"], first["last"]) == ("ok", 1, 2)
    answers = writer.append(
        Request(a, ['"plain"']),  # 3
        Request(a, ["1", "2"], key="k"),  # repeat of 1..2
        Request(a, ["9"], key="k"),  # conflict
        Request(b, ["1", "2"], key="k"),  # the key's scope is the topic: 1..2
        Request(a, ["4"], head=3),  # 4
        Request(a, ["5"], head=3),  # moved: 4
        Request(gone, ["6"]),  # unknown
        Request(gone, ["6"], key="g"),  # unknown
        Request([(a, ["5"]), (b, ["3"])]),  # atomic: a 5, b 3
        Request([(a, ["7"]), (gone, ["7"])]),  # refused with unknown
        Request([(a, ["6", "7"]), (b, ["4"])], key="m"),  # a 6..7, b 4
        Request([(a, ["6", "7"]), (b, ["4"])], key="m"),  # repeat inside the batch
        Request(a, ["0"], key="m"),  # conflict with the key of several topics
        Request(a, ["8"]),
        Request(b, ["5"]),
    )
    brief = [
        [
            (p["status"], p.get("first"), p.get("last"), p.get("head"))
            for p in (x if isinstance(x, list) else [x])
        ]
        for x in answers
    ]
    assert brief == [
        [("ok", 3, 3, None)],
        [("repeat", 1, 2, None)],
        [("key_conflict", None, None, None)],
        [("ok", 1, 2, None)],
        [("ok", 4, 4, None)],
        [("head_moved", None, None, 4)],
        [("unknown_topic", None, None, None)],
        [("unknown_topic", None, None, None)],
        [("ok", 5, 5, None), ("ok", 3, 3, None)],
        [("refused", None, None, None), ("unknown_topic", None, None, None)],
        [("ok", 6, 7, None), ("ok", 4, 4, None)],
        [("repeat", 6, 7, None), ("repeat", 4, 4, None)],
        [("key_conflict", None, None, None)],
        [("ok", 8, 8, None)],
        [("ok", 5, 5, None)],
    ], brief
    assert payloads(db, a) == ["1", "2", '"plain"', "4", "5", "6", "7", "8"], payloads(db, a)
    assert payloads(db, b) == ["1", "2", "3", "4", "5"]
    at = one(db, "SELECT ts FROM sluice.events WHERE topic_id = %s AND off = 1", a)
    assert json.loads(json.dumps(answers[1]["time"])) == one(
        db, "SELECT to_json(%s::timestamptz)#>>'{}'", at
    ), "a repeat tells the first time"
    sizes = query(
        db,
        "SELECT cum - lag(cum, 1, 0::bigint) OVER (ORDER BY off), octet_length(payload::text) FROM"
        " sluice.events WHERE topic_id = %s",
        a,
    )
    assert all(x == y for x, y in sizes), "bytes after refusals"
    twice = writer.append(Request(a, ["9"], key="twice"), Request(a, ["9"], key="twice"))
    assert [x["status"] for x in twice] == ["ok", "repeat"] and twice[0]["first"] == twice[1][
        "first"
    ] == 9, twice
    # a repeat is a repeat also where its condition does not hold any more, and of an atomic
    # request in part
    again = writer.append(Request(a, ["9"], head=9, key="cond"))
    assert again["status"] == "ok"
    assert writer.append(Request(a, ["9"], head=9, key="cond"))["status"] == "repeat"
    mixed = writer.append(
        Request(
            [(a, ["9"]), (b, ["9"])], key="cond", digest=Request(a, ["9"], key="cond").digests[0]
        )
    )
    assert [p["status"] for p in mixed] == ["repeat", "ok"], mixed


@test
def absent_columns_cost_nothing(url):
    db, writer = connect(url), Writer(url)
    tid = topic(db, "narrow")
    writer.append(Request(tid, ["1"]))
    db.execute(
        "CREATE TEMP TABLE narrow AS SELECT off, ts, cum, topic_id, payload FROM sluice.events"
        " WHERE topic_id = %s",
        [tid],
    )
    assert one(
        db, "SELECT pg_column_size(e.*) FROM sluice.events e WHERE topic_id = %s", tid
    ) == one(db, "SELECT pg_column_size(n.*) FROM narrow n")


@test
def time_never_falls_within_a_topic(url):
    writer, db = Writer(url), connect(url)
    tid = topic(db, "clock")
    writer.append(Request(tid, ["1"]))
    db.execute(
        "UPDATE sluice.events SET ts = ts + interval '1 hour' WHERE topic_id = %s", [tid]
    )  # the clock was set back
    writer.append(Request(tid, ["2"]))
    writer.append(Request(tid, ["3"], key="k"), again=3)
    assert one(
        db, "SELECT count(DISTINCT ts), count(*) FROM sluice.events WHERE topic_id = %s", tid
    ) == (1, 3)


@test
def another_incarnation_is_refused(url):
    writer = Writer(url)
    tid = topic(connect(url), "incarnation.refused")
    writer.incarnation = "0000000000"
    refused("SL001", writer.append, Request(tid, ["1"]))
    assert offsets(connect(url), tid) == []


@test
def of_two_duplicates_at_once_exactly_one_appends(url):
    db = connect(url)
    tid = topic(db, "duplicates")
    for number, commits in enumerate([True, False] * 2):
        one_, two = Writer(url, autocommit=False), Writer(url)
        request, before = Request(tid, ["1"], key=f"same{number}"), len(offsets(db, tid))
        assert one_.append(request)["status"] == "ok"
        second = Background(two.append, request)
        assert second.blocked(), "the second must wait for the first"
        one_.connection.commit() if commits else one_.connection.rollback()
        assert second.result()["status"] == ("repeat" if commits else "ok")
        assert len(offsets(db, tid)) == before + 1
    writers = [Writer(url) for _ in range(4)]
    request = Request(tid, ["1"], key="many")
    answers = [task.result() for task in [Background(w.append, request) for w in writers]]
    assert sorted(x["status"] for x in answers) == ["ok"] + ["repeat"] * 3
    assert len({x["first"] for x in answers}) == 1, "all are told the same offset"


@test
def of_two_conditional_appends_one_wins(url):
    db = connect(url)
    tid = topic(db, "conditional")
    writers = [Writer(url) for _ in range(4)]
    for head in range(20):
        answers = [
            t.result()
            for t in [Background(w.append, Request(tid, ["1"], head=head)) for w in writers]
        ]
        assert sorted(x["status"] for x in answers) == ["head_moved"] * 3 + ["ok"]
        assert {x["head"] for x in answers if x["status"] == "head_moved"} == {head + 1}
    assert offsets(db, tid) == list(range(1, 21))


@test
def a_batch_sent_again_appends_exactly_what_is_new(url):
    """Atomic requests in which every event has a key of its own."""
    writer, db = Writer(url), connect(url)
    a, b, c = topic(db, "again.a"), topic(db, "again.b"), topic(db, "again.c")

    def batch(*events, head=None):  # (topic, value, key)
        return Request(
            [(t, [data]) for t, data, _ in events], key=[key for *_, key in events], head=head
        )

    def brief(answer):
        return [(p["status"], p.get("first")) for p in answer]

    first = batch((a, "1", "k1"), (b, "1", "k1"), (a, "2", "k2"))
    assert brief(writer.append(first)) == [("ok", 1), ("ok", 1), ("ok", 2)]
    assert brief(writer.append(first)) == [("repeat", 1), ("repeat", 1), ("repeat", 2)]
    overlap = batch(
        (a, "2", "k2"),
        (a, "3", "k3"),
        (b, "1", "k1"),
        (b, "2", "k2"),
        (a, "3", "k3"),
        (a, "4", "k4"),
    )
    answers = writer.append(Request(a, ['"x"']), overlap, Request(b, ['"y"']))
    assert brief(answers[1]) == [
        ("repeat", 2),
        ("ok", 4),
        ("repeat", 1),
        ("ok", 2),
        ("repeat", 4),
        ("ok", 5),
    ], answers
    assert answers[0]["first"] == answers[2]["first"] == 3
    assert payloads(db, a) == ["1", "2", '"x"', "3", "4"] and payloads(db, b) == ["1", "2", '"y"']
    assert {p["time"] for p in writer.append(overlap)} == {
        one(
            db,
            "SELECT to_json(ts)#>>'{}' FROM sluice.events WHERE topic_id = %s AND off = %s",
            t,
            o,
        )
        for t, o in ((a, 2), (a, 4), (b, 1))
    }
    # Refused as a whole: nothing of it is known to later requests of the batch, what was there
    # before stays a repeat.
    for wrong in (
        batch((a, "5", "k5"), (a, "5", "k5"), (a, "2", "k2"), (a, "9", "k1")),
        batch((a, "5", "k5"), (a, "5", "k5"), (a, "2", "k2"), (999999, "9", "k1")),
    ):
        answers = writer.append(wrong, Request(c, ["1"]))
        assert brief(answers[0])[:3] == [
            ("refused", None),
            ("refused", None),
            ("repeat", 2),
        ], answers
        assert answers[0][3]["status"] in ("key_conflict", "unknown_topic")
    answers = writer.append(
        wrong, Request(a, ["5"], key=["k5"]), batch((a, "5", "k5"), (a, "6", "k6"))
    )
    assert [brief(x if isinstance(x, list) else [x]) for x in answers] == [
        [("refused", None), ("refused", None), ("repeat", 2), ("unknown_topic", None)],
        [("ok", 6)],
        [("repeat", 6), ("ok", 7)],
    ], answers
    answers = writer.append(
        batch((c, "1", "c1"), (c, "2", "c1"), (c, "1", "c1")),
        Request(c, ["2"], key=["c1"]),
        Request(c, ["2"], key=["c1"]),
    )
    assert [brief(x if isinstance(x, list) else [x]) for x in answers] == [
        [("refused", None), ("key_conflict", None), ("refused", None)],
        [("ok", 3)],
        [("repeat", 3)],
    ], answers
    # A condition counts for what is new, and the parts of a topic follow each other.
    assert brief(writer.append(batch((a, "6", "k6"), (a, "7", "k7"), head=6))) == [
        ("repeat", 7),
        ("ok", 8),
    ]
    assert brief(writer.append(batch((a, "8", "k8"), (a, "9", "k9"), head=8))) == [
        ("ok", 9),
        ("ok", 10),
    ]
    assert brief(writer.append(batch((a, "10", "k10"), (a, "11", "k11"), head=3))) == [
        ("head_moved", None),
        ("refused", None),
    ]
    assert payloads(db, a) == ["1", "2", '"x"', *map(str, range(3, 10))]
    wrong = one(
        db,
        """SELECT count(*) FROM (
          SELECT cum <> sum(octet_length(payload::text)) OVER (ORDER BY off) AS miscounted
        FROM sluice.events WHERE topic_id = %s) x WHERE miscounted""",
        a,
    )
    assert wrong == 0, "bytes"
    rng, seen = random.Random(ARGUMENTS.seed), {}
    tids = [topic(db, f"again.random.{i}") for i in range(3)]
    for _ in range(60):  # against a model: every key appends once, in order
        requests = [
            batch(
                *[
                    (t, str(k), f"r{k}")
                    for t, k in (
                        (rng.choice(tids), rng.randrange(200)) for _ in range(rng.randint(1, 6))
                    )
                ]
            )
            for _ in range(3)
        ]
        for request, answer in zip(requests, writer.append(*requests)):
            for (t, (data,)), part in zip(
                request.parts, answer if isinstance(answer, list) else [answer]
            ):
                assert part["status"] == ("repeat" if (t, data) in seen else "ok"), (
                    part,
                    ARGUMENTS.seed,
                )
                assert seen.setdefault((t, data), part["first"]) == part["first"]
    for t in tids:
        assert {(t, p): o for o, p in enumerate(payloads(db, t), 1)} == {
            k: o for k, o in seen.items() if k[0] == t
        }


@test
def one_topic_whose_time_is_ahead_infects_no_other(url):
    writer, db = Writer(url), connect(url)
    ahead, calm = topic(db, "time.ahead"), topic(db, "time.calm")
    writer.append(Request(ahead, ["1"]))
    db.execute(
        "UPDATE sluice.events SET ts = ts + interval '1 hour' WHERE topic_id = %s", [ahead]
    )  # the clock was set back
    then = one(db, "SELECT ts FROM sluice.events WHERE topic_id = %s", ahead)
    one_, two = writer.append(Request(ahead, ["2", "3"], key="k"), Request(calm, ["2"]))
    assert one_["at"] == then, (one_, then)
    assert two["at"] == one(db, "SELECT ts FROM sluice.events WHERE topic_id = %s", calm) < then
    assert one(db, "SELECT count(DISTINCT ts) FROM sluice.events WHERE topic_id = %s", ahead) == 1
    assert one(
        db,
        "SELECT b.at < clock_timestamp() AND k.at = b.at FROM sluice.batches b, sluice.keys k WHERE"
        " writer = %s AND seq = 2 AND k.topic_id = %s",
        writer.id,
        ahead,
    ), "journal and keys have the clock's time"
    again = writer.append(Request(ahead, ["2", "3"], key="k"))
    assert again["time"] == one(
        db, "SELECT to_json(%s::timestamptz)#>>'{}'", then
    ), "a repeat tells the event's time"
    db.execute("SELECT sluice.publish('time.ahead', '4'), sluice.publish('time.calm', '4')")
    at, parts = one(db, "SELECT at, parts FROM sluice.drain(%s, NULL)", writer.incarnation)
    assert f"{calm}:2-2" in parts.split() and at < then, parts
    assert (
        f"{ahead}:4-4@{(then - EPOCH) // datetime.timedelta(microseconds=1)}" in parts.split()
    ), parts


@test
def appends_plan_for_themselves_and_refuse_to_lie(url):
    db = connect(url)
    settings = query(
        db,
        "SELECT proname, proconfig FROM pg_proc WHERE pronamespace = 'sluice'::regnamespace AND"
        " proname IN ('append', 'emit')",
    )
    assert len(settings) == 2 and all(
        set(c)
        == {
            "search_path=pg_catalog, pg_temp",
            "plan_cache_mode=force_generic_plan",
            "jit=off",
            "enable_seqscan=off",
            "enable_bitmapscan=off",
        }
        for _, c in settings
    ), settings
    writer, tid = Writer(url), topic(db, "async")
    for value in ("off", "local"):
        writer.connection.execute(f"SET synchronous_commit = {value}")
        refused("SL005", writer.append, Request(tid, ["1"]))
    db.execute("UPDATE sluice.settings SET allow_async = true")
    try:
        assert writer.append(Request(tid, ["1"]))["first"] == 1
    finally:
        db.execute("UPDATE sluice.settings SET allow_async = false")
    for value in ("on", "remote_write", "remote_apply"):
        writer.connection.execute(f"SET synchronous_commit = {value}")
        assert writer.append(Request(tid, ["1"]))["status"] == "ok"
