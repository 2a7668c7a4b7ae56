"""Costs under a snapshot that is held for long."""

from harness import *


@test
def appends_stay_flat_under_a_held_snapshot(url):
    db, holder, writer = connect(url), connect(url, autocommit=False), Writer(url)
    tid = topic(db, "held")
    pid = one(writer.connection, "SELECT pg_backend_pid()")

    def burst(count=400):
        costs = []
        for _ in range(count):
            before = cpu(pid)
            writer.append(Request(tid, ['{"a":1}']))
            costs.append(cpu(pid) - before)
        return statistics.median(costs)

    burst()
    fresh = burst()
    holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    holder.execute("SELECT count(*) FROM sluice.topics")
    end, late = time.time() + ARGUMENTS.held, fresh
    while time.time() < end:
        late = burst()
        alter(db, tid, retain_count=500)
        retain_all(db, tid, 100)
    page = time.perf_counter()
    assert len(kept(db, tid)) == 500
    page = time.perf_counter() - page
    holder.rollback()
    print(
        f"    append {fresh:.0f} µs CPU, under the snapshot after {ARGUMENTS.held} s {late:.0f} µs"
    )
    assert late < 1.5 * fresh + 20, f"{fresh} µs became {late} µs"
