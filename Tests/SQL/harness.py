"""What the tests share: the caller's side of the functions."""

import argparse
import collections
import contextlib
import datetime
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import statistics
import subprocess
import threading
import time

import psycopg
from psycopg import errors

ARGUMENTS = argparse.Namespace()
SESSION = (
    "-c plan_cache_mode=force_generic_plan -c jit=off -c enable_seqscan=off -c"
    " enable_bitmapscan=off"
)
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
NOW = "(SELECT incarnation FROM sluice.marker)"
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def load(url):
    """The schema, as the program makes it."""
    done = subprocess.run(
        [ARGUMENTS.sluice, "migrate", "--database-url", url],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    one(connect(url), "SELECT sluice.incarnation()")


def connect(url, autocommit=True, **more):
    return psycopg.connect(url, autocommit=autocommit, prepare_threshold=0, options=SESSION, **more)


class Request(collections.namedtuple("Request", "parts head keys digests")):
    """parts: [(topic id, [json text, ...])]; several: atomic.

    key: of the request, or a list with one per part.
    """

    def __new__(cls, topic, data=None, head=None, key=None, digest=None):
        parts = topic if data is None else [(topic, data)]
        if isinstance(key, list):
            digests = [hashlib.sha256(repr(data).encode()).digest()[:16] for _, data in parts]
        else:
            if key is not None and digest is None:
                digest = hashlib.sha256(repr(parts).encode()).digest()[:16]
            key, digests = [key] * len(parts), [digest] * len(parts)
        return super().__new__(cls, parts, head, key, digests)

    @property
    def guarded(self):
        return self.head is not None or self.keys[0] is not None or len(self.parts) > 1


class Writer:
    """The caller's side of append(): builds the arrays, deals the offsets."""

    CALL = (
        "SELECT writer, seq, at, parts, others FROM sluice.append(%s, %s, %s, %s::int[], %s::int[],"
        " %s::int[], %s::int[], %s::bigint[], %s::json[], NULL, NULL, NULL, %s::int[], %s::int[],"
        " %s::int[], %s::bigint[], %s::text[], %s::bytea[], %s)"
    )

    def __init__(self, url, autocommit=True):
        self.connection = connect(url, autocommit)
        self.incarnation = self.connection.execute(
            "SELECT incarnation FROM sluice.incarnation()"
        ).fetchone()[0]
        if not autocommit:
            self.connection.commit()
        self.id, self.seq = random.getrandbits(62) + 1, 0

    def arguments(self, requests, seq):
        t = sorted({topic for request in requests for topic, _ in request.parts})
        ti, sq, nb, p, guards = [], [], [], [], []
        count, size = dict.fromkeys(t, 0), dict.fromkeys(t, 0)
        for number, request in enumerate(requests, 1):
            begun = set()
            for (topic, data), key, digest in zip(request.parts, request.keys, request.digests):
                if request.guarded:
                    head = (
                        None if topic in begun else request.head
                    )  # later parts follow the earlier ones
                    guards.append((number, len(p) + 1, len(p) + len(data), head, key, digest))
                begun.add(topic)
                for item in data:
                    count[topic] += 1
                    size[topic] += len(item.encode())
                    ti.append(t.index(topic) + 1), sq.append(count[topic]), nb.append(
                        size[topic]
                    ), p.append(item)
        guards = [
            column if any(x is not None for x in column) else None
            for column in map(list, zip(*guards))
        ] or [None] * 6
        return [self.incarnation, self.id, seq, t, [count[x] for x in t], ti, sq, nb, p, *guards]

    def append(self, *requests, again=None):
        """again: the seq to try once more."""
        self.seq += again is None
        row = self.connection.execute(
            self.CALL, self.arguments(requests, again or self.seq) + [again is not None]
        ).fetchone()
        return self.deal(requests, row)

    def settle(self, requests, seq, anew):
        """After SL001 on a new connection: the open batch's answer, or what anew() appends.

        anew() looks the names of the topics up again.
        """
        row = self.connection.execute(
            "SELECT writer, seq, at, parts, others FROM sluice.give_up(%s, %s)", [self.id, seq]
        ).fetchone()
        if row[3] is not None:
            return self.deal(requests, row)
        self.seq = max(self.seq, seq)
        return self.append(*anew())

    @staticmethod
    def deal(requests, row):
        _, _, at, parts, others = row
        dealt, times = {}, {}
        for part in parts.split():
            topic, span = part.split(":")
            span, _, ahead = span.partition("@")
            dealt[int(topic)] = int(span.split("-")[0])
            times[int(topic)] = EPOCH + datetime.timedelta(microseconds=int(ahead)) if ahead else at
        others = {other.pop("guard"): other for other in others or []}
        answers, guard = [], 0
        for request in requests:
            answer = []
            for topic, data in request.parts:
                guard += request.guarded
                if request.guarded and guard in others:
                    answer.append(others[guard])
                elif topic not in dealt:
                    answer.append({"status": "unknown_topic"})
                else:
                    first = dealt[topic]
                    dealt[topic] += len(data)
                    answer.append(
                        {
                            "status": "ok",
                            "first": first,
                            "last": dealt[topic] - 1,
                            "at": times[topic],
                        }
                    )
            answers.append(answer if len(answer) > 1 else answer[0])
        return answers[0] if len(answers) == 1 else answers


def query(db, text, *arguments):
    return db.execute(text, arguments or None).fetchall()


def one(db, text, *arguments):
    row = db.execute(text, arguments or None).fetchone()
    return row[0] if row is not None and len(row) == 1 else row


def topic(db, name, **retention):
    tid = one(db, "SELECT topic_id FROM sluice.create_topics(ARRAY[%s])", name)
    if retention:
        alter(db, tid, **{"retain_" + x: retention.get(x) for x in ("age", "count", "bytes")})
    return tid


def alter(db, tid, revision=None, **changes):
    return one(db, "SELECT sluice.alter_topic(%s, %s, %s)", tid, json.dumps(changes), revision)


def retain_all(db, tid, chunk=2000):
    while one(db, "SELECT sluice.retain(%s, %s)", tid, chunk):
        pass


def offsets(db, tid):
    return [
        row[0]
        for row in query(db, "SELECT off FROM sluice.events WHERE topic_id = %s ORDER BY off", tid)
    ]


def payloads(db, tid):
    return [
        row[0]
        for row in query(
            db, "SELECT payload::text FROM sluice.events WHERE topic_id = %s ORDER BY off", tid
        )
    ]


def kept(db, tid):
    return [
        row[0]
        for row in query(db, f"SELECT off FROM sluice.read_page({NOW}, %s, 0, 100000)", tid)
        if row[0] is not None
    ]


class Background:
    """Runs a function in a thread; result() raises what it raised."""

    def __init__(self, function, *arguments):
        self.outcome = self.error = None

        def run():
            try:
                self.outcome = function(*arguments)
            except BaseException as error:
                self.error = error

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()

    def blocked(self, seconds=0.4):
        self.thread.join(seconds)
        return self.thread.is_alive()

    def result(self, seconds=60):
        self.thread.join(seconds)
        assert not self.thread.is_alive(), "still waiting"
        if self.error:
            raise self.error
        return self.outcome


def refused(state, function, *arguments, **named):
    try:
        function(*arguments, **named)
    except psycopg.Error as error:
        assert error.sqlstate == state, f"{error.sqlstate} instead of {state}: {error}"
        return error
    raise AssertionError(f"not refused with {state}")


def eventually(condition, seconds=20):
    end = time.time() + seconds
    while not condition():
        assert time.time() < end, "did not happen in time"
        time.sleep(0.02)


def drain_all(db, incarnation, state=None, lim=2000):
    total = 0
    while True:
        state, moved, dead, more, *_ = one(
            db, "SELECT * FROM sluice.drain(%s, %s, %s)", incarnation, state, lim
        )
        total += moved
        if not more:
            return state, total


EMIT = "SELECT base FROM sluice.emit(%s, %s::int[], %s::int[], %s::int[], %s::json[], %s::text[])"


def cpu(pid):
    return int(open(f"/proc/{pid}/schedstat").read().split()[0]) / 1000
