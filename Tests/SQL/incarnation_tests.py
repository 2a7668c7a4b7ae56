"""Incarnations on one server."""

from harness import *


@test
def an_incarnation_is_agreed_on_and_decides_who_goes_on(url):
    db, writer = connect(url), Writer(url)
    tid, other = topic(db, "resume.a"), topic(db, "resume.b")
    writer.append(Request(tid, ["1"] * 10))
    old, system, line = one(db, "SELECT * FROM sluice.incarnation()")
    db.execute("TRUNCATE sluice.marker")
    answers = {
        t.result()[0]
        for t in [
            Background(one, connect(url), "SELECT * FROM sluice.incarnation()") for _ in range(6)
        ]
    }
    assert len(answers) == 1 and answers != {old}, answers
    new = answers.pop()
    refused("SL001", writer.append, Request(tid, ["1"]))
    writer.incarnation = new
    writer.append(Request(tid, ["2"] * 5), Request(other, ["2"] * 5))

    def resume(tid, incarnation, after):
        return one(db, f"SELECT * FROM sluice.resume({NOW}, %s, %s, %s)", tid, incarnation, after)

    assert resume(tid, old, 10) == (True, 10) and resume(tid, old, 3) == (True, 3)
    assert resume(tid, old, 11) == (False, 10), "offset 11 of the old life is another event"
    assert resume(tid, new, 15) == (True, 15) and resume(tid, new, 16) == (
        False,
        15,
    ), "beyond the head"
    assert resume(other, old, 0) == (True, 0) and resume(other, old, 1) == (False, 0)
    assert resume(tid, "zzzzzzzzzz", 3) == (False, 0) and resume(999999, new, 3) == (None, None)
    # A stale primary: somebody saw an incarnation that this server does not know.
    ask = "SELECT incarnation FROM sluice.incarnation(%s, %s, %s)"
    refused("SL002", one, db, ask, [old, new, "zzzzzzzzzz"], system, line)
    refused("SL002", one, db, ask, [old, "zzzzzzzzzz"], system, line + 1)
    refused("SL002", one, db, ask, ["zzzzzzzzzz"], None, None)
    assert (
        one(db, ask, [old, new, "zzzzzzzzzz"], system, line - 1) == new
    ), "a standby promoted since"
    assert one(db, ask, [old, new, "zzzzzzzzzz"], system + 1, line) == new, "another system"
    first, ask = connect(url, autocommit=False), "SELECT incarnation FROM sluice.incarnation()"
    db.execute("TRUNCATE sluice.marker")
    begun = one(first, ask)
    second = Background(one, connect(url), ask)
    assert second.blocked(), "two callers may not begin two incarnations"
    first.commit()
    assert second.result() == begun
    third = one(db, "SELECT incarnation FROM sluice.incarnation(anew => true)")
    assert (
        third not in (old, new) and one(db, "SELECT incarnation FROM sluice.incarnation()") == third
    )
    assert resume(tid, old, 11) == (False, 10) and resume(tid, new, 15) == (True, 15)
    db.execute("UPDATE sluice.marker SET place = place")
    assert (
        one(db, "SELECT incarnation FROM sluice.incarnation()") != third
    ), "a marker row that was written again is not ours"
    with db.transaction(), db.transaction():
        db.execute("TRUNCATE sluice.marker")
        nested = one(db, "SELECT incarnation FROM sluice.incarnation()")
    assert (
        one(db, "SELECT incarnation FROM sluice.incarnation()") == nested
    ), "begun in a subtransaction"
    db.execute("VACUUM (FULL, FREEZE) sluice.marker")
    assert (
        one(db, "SELECT incarnation FROM sluice.incarnation()") == nested
    ), "a rewritten table keeps it"


@test
def an_incarnation_that_ended_is_not_ended_again(url):
    db, writer = connect(url), Writer(url)
    tid = topic(db, "fallen.a")
    writer.append(Request(tid, ["1"] * 3))
    old = writer.incarnation
    bound = one(db, "SELECT sluice.mark(%s)", old)
    assert one(db, "SELECT sluice.clock(%s)", old) > bound
    # Many nodes see the clock fall, and all begin one incarnation.
    ended = [
        t.result()
        for t in [
            Background(one, connect(url), "SELECT sluice.end_incarnation(%s)", old)
            for _ in range(6)
        ]
    ]
    assert sorted(ended) == [False] * 5 + [True], ended
    new = writer.incarnation = one(db, "SELECT incarnation FROM sluice.incarnation()")
    assert new != old and one(db, "SELECT count(*) FROM sluice.incarnations") >= 2
    refused("SL001", one, db, "SELECT sluice.clock(%s)", old)
    # Nobody is reset, and what comes is new whatever its time.
    assert one(db, "SELECT * FROM sluice.resume(%s, %s, %s, 3)", new, tid, old) == (True, 3)
    created = topic(db, "fallen.b")
    writer.append(Request(tid, ["2"]), Request(created, ["1"]))
    db.execute(
        "UPDATE sluice.events SET ts = ts - interval '1 hour' WHERE topic_id = %s", [created]
    )
    db.execute("UPDATE sluice.topics SET created_at = created_at - interval '1 hour'")
    as_of = "SELECT sluice.offset_as_of(%s, %s, %s, %s)"
    assert one(db, as_of, new, tid, old, bound) == 4
    assert one(db, as_of, new, created, old, bound) == 1


@test
def an_incarnation_begins_behind_the_appends_that_run(url):
    db, writer = connect(url), Writer(url, autocommit=False)
    tid = topic(db, "running.a")
    old = writer.incarnation
    writer.append(Request(tid, ["1"]))
    # Not beside it, as the event would lie beyond the fork of its own incarnation.
    refused("55P03", one, db, "SELECT sluice.end_incarnation(%s)", old)
    writer.connection.commit()
    assert one(db, "SELECT sluice.end_incarnation(%s)", old)
    refused("SL001", writer.append, Request(tid, ["2"]))
    new = one(db, "SELECT incarnation FROM sluice.incarnation()")
    assert one(db, "SELECT * FROM sluice.resume(%s, %s, %s, 1)", new, tid, old) == (True, 1)


@test
def what_is_new_since_a_mark_and_gone_is_a_gap(url):
    db, writer = connect(url), Writer(url)
    bound = one(db, "SELECT sluice.mark(%s)", writer.incarnation)
    created, emptied = topic(db, "gone.a"), topic(db, "gone.b")
    writer.append(Request(created, ["1"] * 5), Request(emptied, ["1"] * 5))
    db.execute(
        "UPDATE sluice.topics SET retain_count = CASE topic_id WHEN %s THEN 2 ELSE 0 END"
        " WHERE topic_id IN (%s, %s)",
        [created, created, emptied],
    )
    for tid in (created, emptied):
        one(db, "SELECT sluice.retain(%s)", tid)

    def as_of(tid, bound):
        return one(
            db,
            "SELECT sluice.offset_as_of(%s, %s, %s, %s)",
            writer.incarnation,
            tid,
            writer.incarnation,
            bound,
        )

    assert as_of(created, bound) == 1 and as_of(emptied, bound) == 1
    after = one(db, "SELECT sluice.mark(%s)", writer.incarnation)
    assert as_of(created, after) == 6 and as_of(emptied, after) == 6
    db.execute("UPDATE sluice.topics SET created_at = %s - interval '1 hour'", [bound])
    assert as_of(created, bound) == 4, "how much of the rest is new, nobody knows"
    assert as_of(emptied, bound) == 6
