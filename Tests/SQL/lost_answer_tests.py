"""append whose answer was lost: again, give_up."""

from harness import *


@test
def a_lost_answer_is_asked_again_and_appended_once(url):
    db = connect(url)
    tid = topic(db, "lost")
    writer = Writer(url, autocommit=False)
    writer.append(Request(tid, ['"before commit"']))
    one(db, "SELECT pg_terminate_backend(%s, 5000)", writer.connection.info.backend_pid)
    again = Writer(url)
    again.id = writer.id
    assert again.append(Request(tid, ['"before commit"']), again=1)["first"] == 1
    requests = [
        Request(tid, ['"after commit"', "2"], key="x"),
        Request(tid, ["3"], head=17),
        Request(tid, ["4"]),
    ]
    first = again.append(*requests, again=2)
    one(db, "SELECT pg_terminate_backend(%s, 5000)", again.connection.info.backend_pid)
    third = Writer(url)
    third.id = writer.id
    assert third.append(*requests, again=2) == first, "the first answer, statuses and time too"
    assert payloads(db, tid) == ['"before commit"', '"after commit"', "2", "4"]


@test
def a_retry_waits_for_the_zombie(url):
    db = connect(url)
    tid = topic(db, "zombie")
    for count, commits in enumerate([True, False], 1):
        zombie, retry = Writer(url, autocommit=False), Writer(url)
        retry.id = zombie.id
        first = zombie.append(Request(tid, ["1"]))
        answer = Background(lambda: retry.append(Request(tid, ["1"]), again=1))
        assert answer.blocked()
        zombie.connection.commit() if commits else zombie.connection.rollback()
        assert (answer.result() == first) == commits
        assert len(offsets(db, tid)) == count


@test
def after_give_up_nothing_commits_any_more(url):
    db, other = connect(url), connect(url)
    tid = topic(db, "given.up")

    def give_up(writer, seq):
        return one(other, "SELECT parts FROM sluice.give_up(%s, %s)", writer.id, seq)

    zombie = Writer(url, autocommit=False)
    zombie.append(Request(tid, ["1"]))
    answer = Background(give_up, zombie, 1)
    assert answer.blocked()
    zombie.connection.commit()
    assert answer.result() == f"{tid}:1-1", "it had committed: the answer"
    zombie.append(Request(tid, ["2"]))
    answer = Background(give_up, zombie, 2)
    assert answer.blocked()
    zombie.connection.rollback()
    assert answer.result() is None
    refused("SL004", zombie.append, Request(tid, ["2"]), again=2)
    zombie.connection.rollback()
    # A zombie that found no tombstone yet, and is stopped before it writes: it must fail, not
    # append.
    blocker = connect(url, autocommit=False)
    blocker.execute("LOCK sluice.events IN SHARE MODE")
    late = Background(zombie.append, Request(tid, ["3"]))
    assert late.blocked()
    assert give_up(zombie, 3) is None
    blocker.commit()
    refused("23505", late.result)
    zombie.connection.rollback()
    assert offsets(db, tid) == [1]
