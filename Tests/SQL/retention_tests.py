"""Retention, purges, keys that are forgotten."""

from harness import *


@test
def retention_is_exact(url):
    db, writer, rng = connect(url), Writer(url), random.Random(ARGUMENTS.seed)
    alone = [
        (7, None, None),
        (None, 7, None),
        (None, 0, None),
        (None, None, 300),
        (None, None, 0),
        (None, None, 10**6),
    ]
    for case in range(18):
        tid = topic(db, f"retain.{case}")
        sizes = [rng.randrange(2, 60) for _ in range(50)]
        for size in sizes:
            writer.append(Request(tid, ['"' + "x" * (size - 2) + '"']))
        db.execute(
            "UPDATE sluice.events SET ts = clock_timestamp() - (50 - off) * interval '1 minute'"
            " WHERE topic_id = %s",
            [tid],
        )
        age, count, limit = (
            alone[case]
            if case < len(alone)
            else (
                rng.choice([None, rng.randrange(1, 50)]),
                rng.choice([None, rng.randrange(50)]),
                rng.choice([None, rng.randrange(sum(sizes))]),
            )
        )
        topic(
            db, f"retain.{case}", age=age and f"{age} minutes 30 seconds", count=count, bytes=limit
        )
        keep = list(range(1, 51))
        if age is not None:
            keep = [o for o in keep if 50 - o <= age]
        if count is not None:
            keep = [o for o in keep if o > 50 - count]
        if limit is not None:
            keep = [o for o in keep if sum(sizes[o - 1 :]) <= limit]
        while one(db, "SELECT sluice.retain(%s, %s)", tid, rng.randrange(1, 60)):
            pass
        assert (
            kept(db, tid) == keep
        ), f"seed {ARGUMENTS.seed}, age {age} count {count} bytes {limit}: {kept(db, tid)}"
        earliest, latest = one(db, "SELECT earliest, latest FROM sluice.ends(%s)", tid)
        assert (earliest, latest) == (keep[0] if keep else 51, 50)
        assert len(offsets(db, tid)) == max(1, len(keep)), "rows left behind"
        if not keep:
            assert payloads(db, tid) == ["null"], "the newest row keeps its place, not its payload"
        assert writer.append(Request(tid, ["1"]))["first"] == 51, "offsets go on"


@test
def a_purge_hides_at_once_and_deletes_in_steps(url):
    db, writer = connect(url), Writer(url)
    tid = topic(db, "purge.a")
    writer.append(Request(tid, [str(i) for i in range(1, 101)]))
    version = one(db, "SELECT version FROM sluice.catalog")
    assert one(db, "SELECT sluice.purge(%s, 41)", tid) == 41
    assert one(db, "SELECT version FROM sluice.topics WHERE topic_id = %s", tid) == version + 1
    assert kept(db, tid) == list(range(41, 101)) and len(offsets(db, tid)) == 100
    assert one(db, "SELECT sluice.purge(%s, 7)", tid) == 41, "never back"
    steps = []
    while step := one(db, "SELECT sluice.retain(%s, 15)", tid):
        steps.append(step)
    assert steps == [15, 15, 10] and offsets(db, tid) == list(range(41, 101))
    assert one(db, "SELECT sluice.purge(%s, 9999)", tid) == 101, "not beyond the head"
    assert kept(db, tid) == [] and one(
        db, "SELECT earliest, latest, purged_below FROM sluice.ends(%s)", tid
    ) == (101, 100, 101)
    while one(db, "SELECT sluice.retain(%s, 15)", tid):
        pass
    assert offsets(db, tid) == [100] and payloads(db, tid) == ["null"], "the emptied newest row"
    assert writer.append(Request(tid, ["1", "2"], head=100))["first"] == 101
    assert one(db, "SELECT sluice.offset_at(%s, %s, '-infinity')", writer.incarnation, tid) == 101
    assert one(db, "SELECT sluice.purge(%s, 102)", tid) == 102
    assert one(db, "SELECT sluice.retain(%s, 15)", tid) == 1
    assert offsets(db, tid) == [102], "and it goes when there is a newer one"


@test
def a_time_is_found(url):
    db, writer = connect(url), Writer(url)
    tid = topic(db, "times", count=20)
    for _ in range(40):
        writer.append(Request(tid, ["1"]))
    one(db, "SELECT sluice.retain(%s)", tid)
    for off, ts in query(db, "SELECT off, ts FROM sluice.events WHERE topic_id = %s", tid):
        assert one(db, "SELECT sluice.offset_at(%s, %s, %s)", writer.incarnation, tid, ts) == off
    assert one(db, "SELECT sluice.offset_at(%s, %s, '-infinity')", writer.incarnation, tid) == 21
    assert one(db, "SELECT sluice.offset_at(%s, %s, 'infinity')", writer.incarnation, tid) == 41


@test
def pages_and_gaps_agree_while_retention_runs(url):
    db, stop = connect(url), threading.Event()
    tid = topic(db, "gaps", count=50)
    gaps = 0

    def write():
        writer = Writer(url)
        for _ in range(250):
            writer.append(Request(tid, ["1"] * 7))
        stop.set()

    def retain():
        session = connect(url)
        while not stop.is_set():
            one(session, "SELECT sluice.retain(%s, 40)", tid)

    def read(pause):
        nonlocal gaps
        session, last = connect(url), 0
        while True:
            over = stop.is_set()
            rows = query(
                session,
                f"SELECT earliest, latest, off FROM sluice.read_page({NOW}, %s, %s, 30)",
                tid,
                last,
            )
            earliest, latest, first = rows[0]
            if first is None:
                assert latest == last or earliest == latest + 1 > last, (last, rows)
                if over:
                    return last
                continue
            assert first == max(last + 1, earliest), f"after {last}: {first}, earliest {earliest}"
            gaps += first > last + 1
            found = [row[2] for row in rows]
            assert found == list(range(first, first + len(found))) and found[-1] <= latest
            assert len(found) == 30 or found[-1] == latest, "a hole at the end"
            last = found[-1]
            time.sleep(pause)

    tasks = [
        Background(write),
        Background(retain),
        Background(read, 0),
        Background(read, 0.02),
        Background(read, 0.1),
    ]
    assert [task.result(120) for task in tasks][2:] == [1750] * 3
    assert gaps > 0, "the test saw no gap: it proves nothing"
    page = query(db, f"SELECT off FROM sluice.read_page({NOW}, %s, 0, 1000, 3)", tid)
    assert len(page) == 4, "bytes bound a page, after the first event"


@test
def keys_are_forgotten_a_day_at_a_time(url):
    db, writer = connect(url), Writer(url)
    tid = topic(db, "keys.a")
    for days in (0, 1, 2):  # as if used today, yesterday, the day before
        writer.append(Request(tid, ["1"], key=f"d{days}"))
        db.execute(
            """WITH gone AS (DELETE FROM sluice.keys WHERE key = %s RETURNING *)
            INSERT INTO sluice.keys
            SELECT first_off, last_off, at - %s * interval '1 day', topic_id,
              sluice.key_slot(at - %s * interval '1 day', '1 day'), key, digest FROM gone""",
            [f"d{days}", days, days],
        )
    assert writer.append(Request(tid, ["1"], key="d1"))["status"] == "repeat"
    reader = connect(url, autocommit=False)
    reader.execute("LOCK sluice.keys IN ACCESS SHARE MODE")  # pg_dump
    before = time.time()
    assert one(db, "SELECT sluice.forget_keys()") is False and time.time() - before < 2
    reader.rollback()
    assert one(db, "SELECT sluice.forget_keys()") is True
    assert [
        r[0] for r in query(db, "SELECT key FROM sluice.keys WHERE topic_id = %s ORDER BY 1", tid)
    ] == ["d0", "d1"]
    assert one(db, "SELECT sluice.forget_keys()") is False


@test
def a_window_of_keys_may_be_shorter_and_the_clock_may_step(url):
    db, writer = connect(url), Writer(url)
    db.execute("TRUNCATE sluice.keys")
    tid, slots = topic(db, "keys.window"), "SELECT count(*) FROM sluice.keys WHERE topic_id = %s"
    db.execute("UPDATE sluice.settings SET key_window = '1 hour'")
    try:
        writer.append(Request(tid, ["1"], key="now"))
        assert one(
            db,
            "SELECT slot = sluice.key_slot(at, '1 hour') FROM sluice.keys WHERE topic_id = %s",
            tid,
        )

        def put(age, count=1, key="old"):  # into the slot that forget_keys empties next
            db.execute(
                """INSERT INTO sluice.keys SELECT 1, 1, clock_timestamp() - %s::interval, %s,
                  (sluice.key_slot(clock_timestamp(), '1 hour') + 1) %% 3,
                %s, '' FROM generate_series(1, %s)""",
                [age, tid, key, count],
            )

        put("2 hours", 10000)
        put("59 minutes")
        assert one(db, "SELECT sluice.forget_keys()") is False, "a key younger than the window"
        put(
            "61 minutes", 5000
        )  # the clock was set back meanwhile: what counts is what was written last
        assert one(db, "SELECT sluice.forget_keys()") is True and one(db, slots, tid) == 1
        put("-3 hours", 100)  # written before the clock was set back
        assert one(db, "SELECT sluice.forget_keys()") is False and one(db, slots, tid) == 101
        put("2 hours", 20000, "gone")
        db.execute("DELETE FROM sluice.keys WHERE key = 'gone'")  # the last pages may be empty
        assert one(db, "SELECT sluice.forget_keys()") is False and one(db, slots, tid) == 101
        db.execute("TRUNCATE sluice.keys")
        put("2 hours")
        put("2 hours", 20000, "gone")
        db.execute("DELETE FROM sluice.keys WHERE key = 'gone'")
        assert one(db, "SELECT sluice.forget_keys()") is True
        put("2 hours", 300000)
        put("0")
        before = cpu(pid := one(db, "SELECT pg_backend_pid()"))
        assert one(db, "SELECT sluice.forget_keys()") is False
        assert cpu(pid) - before < 8000, "the slot is scanned"
        refused("23514", db.execute, "UPDATE sluice.settings SET key_window = '0'")
    finally:
        db.execute("UPDATE sluice.settings SET key_window = '24 hours'")
        db.execute("TRUNCATE sluice.keys")


@test
def an_age_is_bounded_and_never_stops_retention(url):
    db, writer = connect(url), Writer(url)
    tid = topic(db, "bounded.age")
    writer.append(Request(tid, ["1", "2"]))
    for absurd in (
        "36501 days",
        "3000000 days",
        "200000000 days",
        "71000000 months -2130000000 days",
        "-12 months 361 days",
        "0.5 microseconds",
    ):
        refused("23514", alter, db, tid, retain_age=absurd)
    for statement in (
        "default_retain_age = '36501 days'",
        "key_window = '36501 days'",
        "key_window = '59 seconds'",
    ):
        refused("23514", db.execute, f"UPDATE sluice.settings SET {statement}")
    for age in ("36500 days", "1 microsecond", "unlimited"):
        assert alter(db, tid, retain_age=age)
    # Even where somebody took the bound away.
    with contextlib.suppress(ZeroDivisionError), db.transaction():
        db.execute("ALTER TABLE sluice.topics DROP CONSTRAINT topics_retain_age_check")
        for age in ("3000000 days", "178000000 years", "71000000 months -2130000000 days"):
            alter(db, tid, retain_age=age, retain_count=None)
            assert one(db, "SELECT sluice.retain(%s)", tid) == 0
        alter(db, tid, retain_count=1)
        assert one(db, "SELECT sluice.retain(%s)", tid) == 1, "the count holds all the same"
        raise ZeroDivisionError


@test
def retention_looks_at_what_is_due_alone(url):
    db, writer = connect(url), Writer(url)

    def due(tid):
        rows = query(
            db, "SELECT due::text, due <= now() FROM sluice.retention WHERE topic_id = %s", tid
        )
        return rows and ("now" if rows[0][1] else rows[0][0])

    def rest(tid):
        while one(db, "SELECT sluice.retain(%s)", tid):
            pass
        return due(tid)

    def appended(tid):
        writer.append(Request(tid, ["1"]))
        db.execute("SELECT sluice.make_due(%s)", [[tid]])
        return due(tid)

    free = topic(db, "due.free")
    assert appended(free) == [], "without a limit nothing is to be looked for"

    aged = topic(db, "due.aged", age="1 hour")
    assert due(aged) == "now" and rest(aged) == "infinity", "empty: until something comes"
    assert appended(aged) == "now"
    oldest = one(db, "SELECT (ts + '1 hour')::text FROM sluice.events WHERE topic_id = %s", aged)
    assert rest(aged) == oldest and appended(aged) == oldest, "one event more changes nothing"
    db.execute("UPDATE sluice.events SET ts = ts - interval '2 hours' WHERE topic_id = %s", [aged])
    db.execute("UPDATE sluice.retention SET due = now() WHERE topic_id = %s", [aged])
    assert rest(aged) == "infinity" and kept(db, aged) == []

    counted = topic(db, "due.counted", count=1)
    assert rest(counted) == "infinity" and appended(counted) == "now"
    assert rest(counted) == "infinity" and appended(counted) == "now", "each time"
    seen = one(db, "SELECT due FROM sluice.retention WHERE topic_id = %s", counted)
    assert appended(counted) == "now"
    db.execute("SELECT sluice.put_off(%s, %s, 'infinity')", [counted, seen])
    assert due(counted) == "now", "a look that missed the last event puts nothing off"
    assert rest(counted) == "infinity" and len(kept(db, counted)) == 1

    one(db, "SELECT sluice.purge(%s, 4)", counted)
    assert due(counted) == "now" and rest(counted) == "infinity"
    db.execute("UPDATE sluice.settings SET default_retain_count = 5")
    assert due(free) == "now" and due(aged) == "now", "defaults are everybody's limits"
    db.execute("UPDATE sluice.settings SET default_retain_count = NULL")
    assert rest(free) == "infinity" and rest(aged) == "infinity"
    one(db, "SELECT sluice.review_retention()")
    assert due(free) == "infinity" and due(aged) == "now", "only those with a limit"
    one(db, "SELECT sluice.delete_topic(%s)", aged)
    assert due(aged) == "now" and rest(aged) == [] and offsets(db, aged) == []
