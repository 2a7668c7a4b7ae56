"""Measures what a day of idempotency keys weighs, and what appends and purges pay for it.

    Tests/SQL/key_figures.py --sluice PATH [--keys N] [--pgbin DIR]

Starts a server of its own below a directory in /tmp, and puts N keys of an aged window, such as
events with a uuid as `event_id` leave, into the slot that is emptied next: the heap first and its
index behind it, so the index is as dense as it can be (a tenth is measured as appends grow it).
Prints sizes; what an append with keys costs before, with them and after, in us of the server's CPU
and of time, with 1 and with 100 events a call; and how long `sluice.forget_keys` takes. Needs
psycopg (Debian: python3-psycopg).
"""

import tempfile
import uuid

import harness
import servers
from harness import *

# The window that comes next has the slot of the one before the last.
AGED = """INSERT INTO sluice.keys(first_off, last_off, at, topic_id, slot, key, digest)
  SELECT n, n, clock_timestamp() - 2 * key_window - interval '1 minute', 1,
    (sluice.key_slot(clock_timestamp(), key_window) + 1) % 3, 'e:' || gen_random_uuid(),
    uuid_send(gen_random_uuid())
  FROM generate_series(1, {}) n, sluice.settings"""


def sizes(db, slot):
    heap, index = one(
        db, "SELECT pg_relation_size(%s::regclass), pg_indexes_size(%s::regclass)", slot, slot
    )
    return heap, index


def cost(writer, topic, events, calls):
    """us of CPU and of time an event, both of the calls' medians."""
    pid = one(writer.connection, "SELECT pg_backend_pid()")
    used, took = [], []
    for _ in range(calls):
        keys = [f"e:{uuid.uuid4()}" for _ in range(events)]
        requests = [Request(topic, ['{"n":1}'], key=key) for key in keys]
        before, begun = cpu(pid), time.perf_counter()
        writer.append(*requests)
        took.append(1e6 * (time.perf_counter() - begun) / events)
        used.append((cpu(pid) - before) / events)
    return statistics.median(used), statistics.median(took)


def report(name, writer, topic):
    text = []
    for events, calls in [(1, 1000), (100, 100)]:
        used, took = cost(writer, topic, events, calls)
        text.append(f"{events} a call: CPU {used:.1f}, time {took:.1f}")
    print(f"{name}, us an event: {'; '.join(text)}", flush=True)


def measure(server, keys):
    load(server.url)
    db = connect(server.url)
    writer = Writer(server.url)
    tid = topic(db, "figures")
    number = one(db, "SELECT sluice.key_slot(clock_timestamp(), key_window) FROM sluice.settings")
    slot = f"sluice.keys_{(number + 1) % 3}"
    report("warming up", writer, tid)
    report("empty", writer, tid)
    begun = time.time()
    db.execute(AGED.format(min(keys, 1_000_000)))
    heap, index = sizes(db, slot)
    count = min(keys, 1_000_000)
    print(
        f"{count} keys, index grown row by row: {heap / count:.0f} + {index / count:.0f} B a key,"
        f" {time.time() - begun:.0f} s",
        flush=True,
    )
    begun = time.time()
    index_name = one(
        db, "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = %s::regclass", slot
    )
    # Without entries for each row until it is built anew, as it cannot be dropped from a partition.
    ready = "UPDATE pg_index SET indisready = %s WHERE indexrelid = %s::regclass"
    db.execute(ready, [False, index_name])
    for first in range(count, keys, 5_000_000):
        db.execute(AGED.format(min(5_000_000, keys - first)))
    db.execute(ready, [True, index_name])
    db.execute("SET maintenance_work_mem = '1GB'")
    db.execute(f"REINDEX INDEX {index_name}")
    db.execute(f"VACUUM ANALYZE {slot}")
    db.execute("CHECKPOINT")
    heap, index = sizes(db, slot)
    print(
        f"{keys} keys: heap {heap / 2**30:.2f} GiB, index {index / 2**30:.2f} GiB,"
        f" filled in {time.time() - begun:.0f} s",
        flush=True,
    )
    for name in ["with them", "with them, again"]:
        report(name, writer, tid)
    begun = time.time()
    assert one(db, "SELECT sluice.forget_keys()")
    print(f"purge: {1000 * (time.time() - begun):.0f} ms, left {sizes(db, slot)}", flush=True)
    report("after the purge", writer, tid)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sluice", required=True)
    parser.add_argument("--pgbin", default=servers.newest_binaries())
    parser.add_argument("--keys", type=int, default=8_640_000)
    chosen = parser.parse_args(namespace=harness.ARGUMENTS)
    chosen.pgdata = tempfile.mkdtemp(prefix="sluice-keys-")
    try:
        servers.own(chosen.pgdata)
        settings = ["shared_buffers=64MB", "max_wal_size=1GB", "max_parallel_maintenance_workers=0"]
        with servers.Server("main").start(*(x for s in settings for x in ("-c", s))) as server:
            measure(server, chosen.keys)
    finally:
        shutil.rmtree(chosen.pgdata)


if __name__ == "__main__":
    main()
