"""Measures what an event of a SQL publisher waits for: from its commit to its delivery.

    Tests/SQL/outbox_delay.py [--sluice PATH] [--rate ROWS] [--seconds S] [--clients N]

Starts a broker with a server of its own below a directory in /tmp, follows a topic over HTTP, and
publishes from SQL: ten events a second at random times, then ROWS a second from N connections of
pgbench, one row a transaction. Prints percentiles in milliseconds, and what an idle broker costs.
Under load the time begins before the commit, whose flush is then a part of it. Needs psycopg
(Debian: python3-psycopg), and pgbench, which comes with the server.
"""

import argparse
import datetime
import glob
import json
import random
import re
import shutil
import subprocess
import threading
import time
import urllib.request

import psycopg
from broker import *


def report(name, delays):
    p = [1000 * percentile(delays, x) for x in (0.5, 0.9, 0.99)]
    print(f"{name}: p50 {p[0]:.1f}  p90 {p[1]:.1f}  p99 {p[2]:.1f} ms, {len(delays)} events")


def publish(socket, rate, seconds, clients):
    """One row a transaction, with the time just before its commit; returns how many came."""
    script = socket + ".sql"
    open(script, "w").write(
        "SELECT sluice.publish('delay', json_build_object('at', clock_timestamp(), 'text',"
        " repeat('x', 80)), key => (random() * 100)::int::text);"
    )
    done = subprocess.run(
        [shutil.which("pgbench") or sorted(glob.glob("/usr/lib/postgresql/*/bin/pgbench"))[-1]]
        + ["-n", "-M", "prepared", "-f", script, "-R", str(rate), "-T", str(seconds)]
        + ["-c", str(clients), "-j", "1", "-h", socket, "-U", "sluice", "sluice"],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(re.search(r"actually processed: (\d+)", done.stdout)[1])


def publish_singly(socket, seconds):
    """The time of each event's commit, by its number."""
    committed = {}
    url = f"host={socket} port=5432 user=sluice dbname=sluice"
    with psycopg.connect(url, autocommit=True) as db:
        for number in range(10 * seconds):
            time.sleep(random.uniform(0, 0.2))
            db.execute("SELECT sluice.publish('delay', jsonb_build_object('n', %s::int))", [number])
            committed[number] = time.time()
    return committed


def follow(url, token, context, heard):
    """Collects when and what."""
    request = urllib.request.Request(
        url + "/v1/topics/delay/events?follow", headers={"authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request, context=context) as lines:
        for line in lines:
            now = time.time()
            item = json.loads(line)
            if "data" in item:
                heard.append((now, item["data"]))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sluice", default=PROGRAM, help="the program")
    parser.add_argument("--rate", type=int, default=5000, help="rows a second under load")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--clients", type=int, default=16)
    chosen = parser.parse_args()
    with Broker(chosen.sluice, 18471) as broker:
        measure(chosen, broker)


def measure(chosen, broker):
    socket = broker.socket
    publish(socket, 10, 1, 1)
    time.sleep(1)
    heard = []
    threading.Thread(
        target=follow, args=(broker.url, broker.token, trusting(), heard), daemon=True
    ).start()
    time.sleep(3)
    before = broker.cost()
    time.sleep(chosen.seconds)
    spent = [100 * (x - y) / chosen.seconds for x, y in zip(broker.cost(), before)]
    print(f"idle: broker {spent[0]:.2f} %, its server {spent[1]:.2f} % of a core")
    committed = publish_singly(socket, chosen.seconds)
    wait_for(heard, len(committed))
    report("10 events a second", [now - committed[data["n"]] for now, data in heard])
    heard.clear()
    count = publish(socket, chosen.rate, chosen.seconds, chosen.clients)
    wait_for(heard, count)
    begun = lambda data: datetime.datetime.fromisoformat(data["at"]).timestamp()
    report(
        f"{chosen.rate} rows a second, of which {count / chosen.seconds:.0f} came",
        [now - begun(data) for now, data in heard],
    )


def wait_for(heard, count):
    limit = time.time() + 20
    while len(heard) < count:
        assert time.time() < limit, "events are missing"
        time.sleep(0.1)


if __name__ == "__main__":
    main()
