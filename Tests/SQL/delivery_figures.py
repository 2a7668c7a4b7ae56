"""Measures when two nodes deliver an event that one of them took.

    Tests/SQL/delivery_figures.py [--sluice PATH] [--count N] [--pause SECONDS]

Starts a server below a directory in /tmp, and two brokers on it (one with a server of its own would
tell nobody). Follows a topic over HTTP on both, and publishes one event at a time to the first,
with random pauses of PAUSE on average. Prints percentiles in milliseconds: from the POST to its
answer and to the line on each node, and from the answer and the own node's line to the other's.
Needs psycopg (Debian: python3-psycopg).
"""

import argparse
import random
import re
import select
import shutil
import tempfile
import time

import harness
import servers
from broker import *


class Follower:
    """Notes when each event's line came."""

    def __init__(self, broker, topic):
        self.connection = broker.connect()
        self.connection.sendall(
            f"GET /v1/topics/{topic}/events?follow HTTP/1.1\r\nhost: localhost\r\n"
            f"authorization: Bearer {broker.token}\r\n\r\n".encode()
        )
        self.heard, self.rest = {}, b""

    def read(self):
        self.rest += receive(self.connection)
        now = time.perf_counter()
        *lines, self.rest = self.rest.split(b"\n")
        for line in lines:
            if found := re.search(rb'"n":(\d+)', line):
                self.heard[int(found[1])] = now


class Publisher:
    def __init__(self, broker, topic):
        self.broker, self.topic, self.connection = broker, topic, broker.connect()
        self.answered = {}

    def send(self, number):
        self.number = number
        body = b'{"n":%d,"text":"%s"}' % (number, b"x" * 100)
        self.connection.sendall(self.broker.post(self.topic, body))

    def read(self):
        status, body = read_answer(self.connection)
        self.answered[self.number] = time.perf_counter()
        assert status == 201, body


def run(publisher, followers, count, pause):
    begun = {}
    readers = {x.connection: x for x in [publisher, *followers]}
    for number in range(1, count + 1):
        time.sleep(random.uniform(0, 2 * pause))
        begun[number] = time.perf_counter()
        publisher.send(number)
        times = [publisher.answered, *(x.heard for x in followers)]
        while not all(number in x for x in times):
            pending = [x for x in readers if x.pending()]
            ready = pending or select.select(list(readers), [], [], 10)[0]
            assert ready, "an event is missing"
            for connection in ready:
                readers[connection].read()
    return begun, times


def report(name, start, end):
    values = [1000 * (end[x] - start[x]) for x in start]
    p = [percentile(values, x) for x in (0.5, 0.9, 0.99)]
    print(f"{name}: p50 {p[0]:.2f}  p90 {p[1]:.2f}  p99 {p[2]:.2f} ms")


def measure(chosen, database):
    with (
        Broker(chosen.sluice, 18482, database) as first,
        Broker(chosen.sluice, 18483, database) as second,
    ):
        second.token = first.token
        publisher = Publisher(first, "figures")
        publisher.send(0)
        publisher.read()
        publisher.answered.clear()
        followers = [Follower(first, "figures"), Follower(second, "figures")]
        time.sleep(1)
        return run(publisher, followers, chosen.count, chosen.pause)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sluice", default=PROGRAM, help="the program")
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--pause", type=float, default=0.002)
    parser.add_argument("--pgbin", default=servers.newest_binaries())
    chosen = parser.parse_args(namespace=harness.ARGUMENTS)
    chosen.pgdata = tempfile.mkdtemp(prefix="sluice-figures-")
    try:
        servers.own(chosen.pgdata)
        with servers.Server("main").start() as server:
            begun, (answered, own, other) = measure(chosen, server.url)
    finally:
        shutil.rmtree(chosen.pgdata)
    report("POST to answer", begun, answered)
    report("POST to own node", begun, own)
    report("POST to other node", begun, other)
    report("answer to other node", answered, other)
    report("own node to other node", own, other)


if __name__ == "__main__":
    main()
