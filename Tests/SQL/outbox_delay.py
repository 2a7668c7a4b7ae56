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
import os
import pathlib
import random
import re
import shutil
import signal
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.request

import psycopg

ROOT = pathlib.Path(__file__).resolve().parents[2]


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


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


def cpu(pid):
    """Seconds of a process with all of its threads."""
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def processes(pid):
    found = [pid]
    for status in glob.glob(f"/proc/{pid}/task/*/children"):
        for child in open(status).read().split():
            found += processes(int(child))
    return found


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sluice", default=ROOT / ".build/release/sluice", help="the program")
    parser.add_argument("--rate", type=int, default=5000, help="rows a second under load")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--clients", type=int, default=16)
    chosen = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="sluice-delay-")
    os.chmod(directory, 0o755)
    environment = {**os.environ, "HOME": directory, "XDG_CONFIG_HOME": directory + "/config"}
    log = open(directory + "/log", "w")
    broker = subprocess.Popen(
        [chosen.sluice, "serve", "--data-dir", directory + "/data", "--listen"]
        + ["https://127.0.0.1:18471"],
        env=environment,
        stdout=log,
        stderr=log,
    )
    try:
        files = lambda: glob.glob(directory + "/**/connection.json", recursive=True)
        while not files():
            assert broker.poll() is None, open(directory + "/log").read()
            time.sleep(0.05)
        place = json.load(open(files()[0]))
        measure(chosen, place, f"{directory}/data/postgres", broker.pid)
    finally:
        broker.send_signal(signal.SIGINT)
        broker.wait(60)
        shutil.rmtree(directory)


def measure(chosen, place, socket, pid):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    publish(socket, 10, 1, 1)
    time.sleep(1)
    heard = []
    threading.Thread(
        target=follow, args=(place["url"], place["token"], context, heard), daemon=True
    ).start()
    time.sleep(3)
    family = processes(pid)
    before = [cpu(x) for x in family]
    time.sleep(chosen.seconds)
    spent = [cpu(x) - y for x, y in zip(family, before)]
    print(
        f"idle: broker {100 * spent[0] / chosen.seconds:.2f} %, its server"
        f" {100 * sum(spent[1:]) / chosen.seconds:.2f} % of a core"
    )
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


main()
