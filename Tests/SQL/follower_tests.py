"""Reads: the journal, heads, marks."""

from harness import *


@test
def reads_name_the_incarnation(url):
    db, writer = connect(url), Writer(url)
    tid = topic(db, "named")
    writer.append(Request(tid, ["1"]))
    for name, rest in (
        ("follow", "'{}', '{}'"),
        ("newest_seqs", ""),
        ("heads", f"ARRAY[{tid}]"),
        ("heads", "'{}'"),
        ("ends", f"{tid}"),
        ("ends", "999999"),
        ("read_page", f"{tid}, 0"),
        ("read_page", "999999, 0"),
        ("read_page", f"{tid}, 1"),
        ("offset_at", f"{tid}, now()"),
        ("resume", f"{tid}, '0000000000', 0"),
        ("resume", "999999, '0000000000', 0"),
        ("mark", ""),
        ("clock", ""),
        ("offset_as_of", f"{tid}, '0000000000', now()"),
    ):
        call = f"SELECT * FROM sluice.{name}(%s{', ' * bool(rest)}{rest})"
        query(db, call, writer.incarnation)
        for prepare in (True, False):  # a generic and a custom plan
            refused("SL001", db.execute, call, ["0000000000"], prepare=prepare)
    # ... and the check does not keep them from being inlined.
    for call in (
        f"read_page('{writer.incarnation}', {tid}, 0)",
        f"follow('{writer.incarnation}', '{{}}', '{{}}')",
        f"heads('{writer.incarnation}', '{{{tid}}}')",
        f"ends('{writer.incarnation}', {tid})",
        f"newest_seqs('{writer.incarnation}')",
    ):
        plan = "\n".join(r[0] for r in query(db, f"EXPLAIN SELECT * FROM sluice.{call}"))
        assert "Function Scan on " not in plan.replace("Function Scan on unnest", "").replace(
            "Function Scan on known", ""
        ), plan
        assert "One-Time Filter" in plan, plan


@test
def heads_and_newest_seqs_are_where_a_node_begins(url):
    db, writer, other = connect(url), Writer(url), Writer(url)
    a, b, empty, gone = (topic(db, f"heads.{x}") for x in ("a", "b", "empty", "gone"))
    for _ in range(3):
        writer.append(Request(a, ["1"] * 2), Request(b, ["1"]))
    other.append(Request(b, ["1"]))
    one(db, "SELECT sluice.purge(%s, 3)", a)
    alter(db, b, retain_count=1)
    one(db, "SELECT sluice.retain(%s)", b)
    one(db, "SELECT sluice.delete_topic(%s)", gone)
    last = dict(
        query(
            db,
            "SELECT topic_id, max(ts) FROM sluice.events WHERE topic_id IN (%s, %s) GROUP BY 1",
            a,
            b,
        )
    )
    rows = query(
        db,
        "SELECT * FROM sluice.heads(%s, %s) ORDER BY 1",
        writer.incarnation,
        [a, b, empty, gone, 999999],
    )
    assert rows == [(a, 3, 6, 3, last[a]), (b, 4, 4, 1, last[b]), (empty, 1, 0, 1, None)], rows
    seqs = dict(query(db, "SELECT * FROM sluice.newest_seqs(%s)", writer.incarnation))
    assert (
        seqs == dict(query(db, "SELECT writer, max(seq) FROM sluice.batches GROUP BY 1"))
        and seqs[writer.id] == 3
        and seqs[other.id] == 1
    )
    assert (
        query(
            db,
            "SELECT FROM sluice.follow(%s, %s, %s)",
            writer.incarnation,
            list(seqs),
            list(seqs.values()),
        )
        == []
    )
    # A follower that missed both the NOTIFY and, for an hour, the poll: the journal does not know
    # any more, the heads do.
    db.execute("UPDATE sluice.batches SET at = at - interval '2 hours'")
    one(db, "SELECT sluice.forget()")
    assert query(db, "SELECT * FROM sluice.newest_seqs(%s)", writer.incarnation) == []
    assert query(db, "SELECT * FROM sluice.heads(%s, %s)", writer.incarnation, [a]) == rows[:1]


@test
def nothing_uncommitted_is_older_than_a_mark(url):
    db, writer = connect(url), Writer(url)
    tid, other = topic(db, "mark.a"), topic(db, "mark.b")
    writer.append(Request(tid, ["1"]))

    def mark(session=db):
        return one(session, "SELECT sluice.mark(%s)", writer.incarnation)

    before = one(db, "SELECT clock_timestamp()")
    assert before < mark() < one(db, "SELECT clock_timestamp()"), "nobody appends: the clock"
    hangs = Writer(url, autocommit=False)
    hangs.connection.execute("SELECT 1")
    begun = one(hangs.connection, "SELECT now()")
    time.sleep(0.05)
    assert mark() > begun, "it does not append yet"
    hangs.append(Request(tid, ["2"]))
    time.sleep(0.05)
    ts = one(hangs.connection, "SELECT ts FROM sluice.events WHERE topic_id = %s AND off = 2", tid)
    bound = mark()
    assert bound == begun <= ts, (begun, ts, bound)
    waits = Background(
        writer.append, Request(other, ["1"]), Request(tid, ["3"])
    )  # holds nothing yet
    assert waits.blocked() and mark() == begun
    app = connect(url)
    app.execute(
        "DO $$BEGIN CREATE ROLE sluice_test_marker; EXCEPTION WHEN duplicate_object THEN NULL;"
        " END$$"
    )
    for grant in (
        "GRANT USAGE ON SCHEMA sluice TO",
        "GRANT SELECT ON sluice.marker TO",
        "GRANT EXECUTE ON FUNCTION sluice.mark(text) TO",
        "REVOKE pg_read_all_stats FROM",
        "SET ROLE",
    ):
        app.execute(f"{grant} sluice_test_marker")
    error = refused("42501", mark, app)
    assert "pg_read_all_stats" in error.diag.message_hint, error
    db.execute("GRANT pg_read_all_stats TO sluice_test_marker")
    assert mark(app) == begun
    hangs.connection.commit()
    waits.result()
    assert mark() > ts
    app.execute("RESET ROLE")
    app.execute("DROP OWNED BY sluice_test_marker")

    def as_of(tid, incarnation, bound):
        return one(
            db,
            "SELECT sluice.offset_as_of(%s, %s, %s, %s)",
            one(db, "SELECT incarnation FROM sluice.marker"),
            tid,
            incarnation,
            bound,
        )

    old = writer.incarnation
    assert (
        as_of(tid, old, bound) == 2
        and as_of(other, old, bound) == 1
        and as_of(tid, old, mark()) == 4
    )
    late = mark()
    db.execute("TRUNCATE sluice.marker")
    new = writer.incarnation = one(db, "SELECT incarnation FROM sluice.incarnation()")
    created = topic(db, "mark.c")
    writer.append(Request(tid, ["4"]), Request(created, ["1"]))
    db.execute(
        "UPDATE sluice.events SET ts = CASE WHEN topic_id = %s THEN %s - interval '1 minute' ELSE"
        " (SELECT ts FROM sluice.events WHERE topic_id = %s AND off = 3) END"
        " WHERE topic_id IN (%s, %s) AND (off = 4 OR topic_id = %s)",
        [created, late, tid, tid, created, created],
    )
    db.execute("UPDATE sluice.topics SET created_at = %s - interval '1 minute'", [late])
    assert as_of(tid, old, late) == 4, "a promoted server's clock was behind"
    assert as_of(created, old, late) == 1
    assert as_of(tid, new, late) == 5 and as_of(tid, old, bound) == 2
    db.execute("TRUNCATE sluice.marker")
    writer.incarnation = one(db, "SELECT incarnation FROM sluice.incarnation()")
    assert as_of(tid, old, late) == 4, "the first incarnation after the mark's counts"
    assert as_of(tid, "zzzzzzzzzz", late) == 1 and as_of(999999, new, late) is None
