"""Measures batches against the fastest that PostgreSQL takes the same rows: COPY.

    Tests/SQL/batch_figures.py [--sluice PATH] [--seconds S] [--rounds N] [--connections N]

Starts a broker with a server of its own below a directory in /tmp. In turns, ROUNDS times, each for
S seconds: requests of 500 lines of 128 bytes over N connections; COPY of 500 such rows a
transaction over one connection, into a table like the log's without an index, into one with its
index, and into one of a single text column; and `sluice.append` with 500 events a call. Prints
events a second, CPU an event, and the ratios of the medians. Needs psycopg (Debian:
python3-psycopg).
"""

import argparse
import statistics
import threading
import time

import psycopg
from broker import *
from harness import Request, Writer

LINES = 500
LIKE_THE_LOG = """(off bigint NOT NULL, ts timestamptz NOT NULL, cum bigint NOT NULL,
  topic_id int NOT NULL, payload json COMPRESSION lz4 NOT NULL, key text, event_id text,
  attributes json COMPRESSION lz4"""


def event(number):
    """128 bytes."""
    text = '{"n":%07d,"text":"' % (1_000_000 + number)
    return text + "x" * (126 - len(text)) + '"}'


def for_seconds(seconds, step):
    """Events a second; `step` returns how many it did."""
    begun = time.time()
    count = 0
    while time.time() < begun + seconds:
        count += step()
    return count / (time.time() - begun)


class Requests:
    def __init__(self, broker, connections):
        body = "\n".join(map(event, range(LINES))).encode()
        self.request = broker.post("figures", body, "application/x-ndjson")
        self.connections = [broker.connect() for _ in range(connections)]

    def step(self, connection):
        connection.sendall(self.request)
        status, body = read_answer(connection)
        assert status == 201, body
        return LINES

    def run(self, seconds):
        rates = []
        threads = [
            threading.Thread(
                target=lambda x=x: rates.append(for_seconds(seconds, lambda: self.step(x)))
            )
            for x in self.connections
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(rates)


class Copy:
    def __init__(self, url, table, columns, row):
        self.db = psycopg.connect(url, autocommit=True)
        self.db.execute(f"CREATE TABLE {table} {columns}")
        self.table, self.row, self.count = table, row, 0

    def rows(self, first):
        return "".join(self.row(first + x) for x in range(LINES)).encode()

    def step(self):
        data = self.next_rows or self.rows(self.count)
        with self.db.cursor().copy(f"COPY {self.table} FROM STDIN") as copy:
            copy.write(data)
        self.count += LINES
        return LINES

    def run(self, seconds):
        self.next_rows = None if self.is_unique else self.rows(0)
        return for_seconds(seconds, self.step)

    is_unique = False


class CopyWithIndex(Copy):
    is_unique = True


class Appends:
    def __init__(self, url):
        self.writer = Writer(url)
        self.topic = self.writer.connection.execute(
            "SELECT topic_id FROM sluice.create_topics('{appends}')"
        ).fetchone()[0]
        self.arguments = self.writer.arguments(
            [Request(self.topic, [event(x) for x in range(LINES)])], 0
        )

    def step(self):
        self.writer.seq += 1
        self.arguments[2] = self.writer.seq
        self.writer.connection.execute(Writer.CALL, self.arguments + [False])
        return LINES

    def run(self, seconds):
        return for_seconds(seconds, self.step)


def logged(number):
    now = "2026-11-26 12:00:00.123456+00"
    return f"{number + 1}\t{now}\t{128 * number}\t1\t{event(number)}\t\\N\t\\N\t\\N\n"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sluice", default=PROGRAM, help="the program")
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=4)
    chosen = parser.parse_args()
    with Broker(chosen.sluice, 18481) as broker:
        url = broker.database
        ways = {
            "requests": Requests(broker, chosen.connections),
            "append()": Appends(url),
            "COPY": Copy(url, "bare", LIKE_THE_LOG + ")", logged),
            "COPY, index": CopyWithIndex(
                url, "indexed", LIKE_THE_LOG + ", PRIMARY KEY (topic_id, off))", logged
            ),
            "COPY, text": Copy(url, "texts", "(line text)", lambda n: event(n) + "\n"),
        }
        rates = {name: [] for name in ways}
        costs = {name: [] for name in ways}
        for number in range(chosen.rounds + 1):
            for name, way in ways.items():
                before = broker.cost()
                rate = way.run(chosen.seconds if number else 0.5)
                if number == 0:
                    continue
                rates[name].append(rate)
                after = broker.cost()
                costs[name].append(
                    [1e6 * (x - y) / (rate * chosen.seconds) for x, y in zip(after, before)]
                )
    base = statistics.median(rates["COPY"])
    for name in ways:
        rate = statistics.median(rates[name])
        broker_cpu, server_cpu = (statistics.median(x) for x in zip(*costs[name]))
        print(
            f"{name:12} {rate:8.0f} events/s, {rate / base:.2f} of COPY; CPU in us an event:"
            f" broker {broker_cpu:.2f}, server {server_cpu:.2f};"
            f" {' '.join(f'{x / 1000:.0f}k' for x in rates[name])}"
        )


if __name__ == "__main__":
    main()
