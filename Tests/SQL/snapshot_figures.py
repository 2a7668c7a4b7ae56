"""Measures what a long transaction elsewhere costs the log.

    Tests/SQL/snapshot_figures.py [--sluice PATH] [--rate N] [--minutes 0,2,5,10]

Starts a broker with a server of its own below a directory in /tmp. Over all the time it publishes
N events a second over HTTP, each alone, to a topic that keeps 5,000, and ten rows a second from
SQL. A second connection holds a REPEATABLE READ snapshot open, as pg_dump does, and a third a
transaction that has published and does not end. For 20 s before they begin, at each of MINUTES
after, and once they have ended, it prints what a POST took, what a row of SQL waited for its
delivery, and the CPU of the broker and of its server's connections. Needs psycopg (Debian:
python3-psycopg).
"""

import argparse
import random
import re
import threading
import time

import psycopg
from broker import *

WINDOW = 20


class Poster(threading.Thread):
    """Publishes on time, whatever the answers take; notes (when, seconds)."""

    def __init__(self, broker, rate):
        super().__init__(daemon=True)
        self.connection, self.rate, self.took = broker.connect(), rate, []
        self.request = broker.post("hot", b'{"text":"%s"}' % (b"x" * 116))

    def run(self):
        due = time.perf_counter()
        while True:
            time.sleep(max(0, due - time.perf_counter()))
            self.connection.sendall(self.request)
            status, body = read_answer(self.connection)
            assert status == 201, body
            self.took.append((time.perf_counter(), time.perf_counter() - due))
            due += 1 / self.rate


class Rows:
    """SQL's events, from their commit to their line over HTTP."""

    PUBLISH = "SELECT sluice.publish('rows', json_build_object('n', %s::int))"

    def __init__(self, broker):
        self.committed, self.delays = {}, []
        self.db = psycopg.connect(broker.database, autocommit=True)
        self.db.execute("SELECT sluice.publish('rows', '{}')")
        time.sleep(1)
        self.connection = broker.connect()
        self.connection.sendall(
            b"GET /v1/topics/rows/events?follow HTTP/1.1\r\nhost: localhost\r\n"
            b"authorization: Bearer %s\r\n\r\n" % broker.token.encode()
        )
        threading.Thread(target=self.hear, daemon=True).start()
        threading.Thread(target=self.publish, daemon=True).start()

    def publish(self):
        number = 0
        while True:
            time.sleep(random.uniform(0, 0.2))
            number += 1
            self.db.execute(self.PUBLISH, [number])
            self.committed[number] = time.perf_counter()

    def hear(self):
        rest = b""
        while True:
            *lines, rest = (rest + receive(self.connection)).split(b"\n")
            now = time.perf_counter()
            for line in lines:
                if found := re.search(rb'"n" ?: ?(\d+)', line):
                    begun = self.committed.get(int(found[1]), now)
                    self.delays.append((now, now - begun))


def backends(db):
    """CPU seconds of the server's processes, by what they do."""
    found = {}
    for pid, name in db.execute(
        "SELECT pid, coalesce(nullif(application_name, ''), backend_type) FROM pg_stat_activity"
    ):
        role = name.split()[-1]
        found[role] = found.get(role, 0) + cpu(pid)
    return found


def window(name, broker, db, poster, rows):
    begun, before, first = time.perf_counter(), broker.cost(), backends(db)
    time.sleep(WINDOW)
    after, last = broker.cost(), backends(db)
    took = [x for at, x in poster.took if at >= begun]
    delays = [x for at, x in rows.delays if at >= begun]
    spent = {x: last[x] - first.get(x, 0) for x in last}
    ms = lambda values: "/".join(f"{1000 * percentile(values, x):.1f}" for x in (0.5, 0.99))
    per_post = lambda role: 1e6 * spent.get(role, 0) / len(took)
    share = lambda role: 100 * spent.get(role, 0) / WINDOW
    print(
        f"{name}: {len(took)} POSTs p50/p99 {ms(took)} ms; {len(delays)} rows {ms(delays)} ms;"
        f" us of CPU a POST: broker {1e6 * (after[0] - before[0]) / len(took):.0f}, append"
        f" {per_post('append'):.0f}; housekeeper {share('housekeeper'):.1f} % of a core; server"
        f" {100 * (after[1] - before[1]) / WINDOW:.0f} %",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sluice", default=PROGRAM, help="the program")
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--minutes", default="0,2,5,10")
    chosen = parser.parse_args()
    with Broker(chosen.sluice, 18484) as broker:
        connect = lambda: psycopg.connect(broker.database, autocommit=True)
        db = connect()
        tid = db.execute("SELECT topic_id FROM sluice.create_topics('{hot}')").fetchone()[0]
        db.execute("SELECT sluice.alter_topic(%s, '{\"retain_count\": 5000}')", [tid])
        poster, rows = Poster(broker, chosen.rate), Rows(broker)
        poster.start()
        time.sleep(10)
        window("before", broker, db, poster, rows)
        dump, writer = connect(), connect()
        dump.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        dump.execute("SELECT count(*) FROM sluice.topics")
        writer.execute("BEGIN")
        writer.execute("SELECT sluice.publish('rows', '{}')")
        begun = time.time()
        for minute in map(float, chosen.minutes.split(",")):
            time.sleep(max(0, begun + 60 * minute - time.time()))
            window(f"minute {minute:g}", broker, db, poster, rows)
        dump.execute("COMMIT")
        writer.execute("COMMIT")
        time.sleep(20)
        window("after", broker, db, poster, rows)
        kept = "SELECT count(*) FROM sluice.events WHERE topic_id = %s"
        print("kept:", db.execute(kept, [tid]).fetchone()[0])


if __name__ == "__main__":
    main()
