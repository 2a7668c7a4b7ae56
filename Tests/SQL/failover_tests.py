"""A broker on two servers: the primary dies, the standby takes over, the old one comes back."""

import http.client
import re

from servers import *


class Broker:
    """`sluice serve` on an existing database, in clear, for everybody on this machine."""

    def __init__(self, url, name):
        self.root = pathlib.Path(ARGUMENTS.pgdata)
        self.log = self.root / f"{name}.log"
        self.process = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig=INT", ARGUMENTS.sluice, "serve"),
                *("--database-url", url, "--auth", "none", "--node", name),
                *("--listen", "http://127.0.0.1:0", "--data-dir", self.root / name),
                *("--connection-file", self.root / f"{name}.json"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=open(self.log, "w"),
            stderr=subprocess.STDOUT,
        )
        eventually(lambda: "is ready at" in self.log.read_text(), 40)
        self.port = int(re.search(r"ready at http://127.0.0.1:(\d+)", self.log.read_text())[1])

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, dict(answer.getheaders()), json.loads(text)

    def is_ready(self):
        return self.ask("GET", "/readyz")[0] == 200

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)


class Publisher:
    """Publishes numbers with a key each, each again until it is answered with an offset."""

    def __init__(self, broker, name):
        self.broker, self.name = broker, name
        self.offsets, self.refusals = {}, collections.Counter()
        self.stop = threading.Event()
        self.task = Background(self.run)

    def run(self):
        number = 0
        while not self.stop.is_set():
            number += 1
            data = f"{self.name}-{number}"
            while data not in self.offsets:
                status, headers, answer = self.broker.ask(
                    "POST",
                    "/v1/topics/failover/events",
                    json.dumps(data),
                    {"Content-Type": "application/json", "Idempotency-Key": data},
                )
                if status == 201:
                    self.offsets[data] = answer["first_offset"]
                else:
                    assert status == 503, answer
                    assert answer["committed"] in ("no", "unknown") and answer["remedy"], answer
                    assert int(headers["retry-after"]) >= 1, headers
                    self.refusals[answer["code"]] += 1
                    time.sleep(0.2)

    def finish(self):
        self.stop.set()
        self.task.result()


class Follower:
    """Reads the topic's stream, and goes on behind its cursor when the stream ends."""

    def __init__(self, broker):
        self.broker, self.cursor = broker, None
        self.seen, self.told = [], []
        self.stop = threading.Event()
        self.task = Background(self.run)

    def run(self):
        while not self.stop.is_set():
            start = f"after:{self.cursor}" if self.cursor else "earliest"
            connection = http.client.HTTPConnection("127.0.0.1", self.broker.port, timeout=30)
            with contextlib.suppress(http.client.HTTPException, OSError):
                connection.request("GET", f"/v1/topics/failover/events?follow&from={start}")
                answer = connection.getresponse()
                while answer.status == 200 and not self.stop.is_set():
                    line = answer.readline()
                    if not line:
                        break
                    self.take(json.loads(line))
            connection.close()
            time.sleep(0.1)

    def take(self, message):
        if message["type"] == "event":
            self.seen.append((message["offset"], message["data"]))
            self.cursor = message["cursor"]
        elif message["type"] in ("gap", "reset"):
            self.told.append(message)


@contextlib.contextmanager
def pair(name):
    """A primary, and a standby that every commit waits for."""
    with Server(f"{name}a").start() as primary:
        load(primary.url)
        with Server(f"{name}b", Named(primary, "standby")) as standby:
            standby.start("-c", "hot_standby=on")
            db = connect(primary.url)
            db.execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
            db.execute("SELECT pg_reload_conf()")
            eventually(
                lambda: one(db, "SELECT sync_state FROM pg_stat_replication") == "sync", 20
            )
            db.close()
            yield primary, standby


Named = collections.namedtuple("Named", "server application")
Named.url = property(lambda named: f"{named.server.url} application_name={named.application}")


def both(*servers):
    """One connection string for several servers."""
    hosts = ",".join(str(server.root) for server in servers)
    ports = ",".join(str(server.port(server.name)) for server in servers)
    return f"host={hosts} port={ports} user=sluice dbname=postgres"


def check(url, publishers, follower):
    """Everything acknowledged is there once, and was seen once and in order."""
    rows = query(
        connect(url),
        "SELECT off, payload #>> '{}' FROM sluice.events e JOIN sluice.topics t USING (topic_id)"
        " WHERE name = 'failover' ORDER BY off",
    )
    assert [off for off, _ in rows] == list(range(1, len(rows) + 1)), "dense"
    kept = {data: off for off, data in rows}
    assert len(kept) == len(rows), "twice in the log"
    for publisher in publishers:
        for data, offset in publisher.offsets.items():
            assert kept.get(data) == offset, f"{data} was acknowledged as {offset}"
    eventually(lambda: len(follower.seen) >= len(rows), 20)
    assert follower.seen == rows and not follower.told, follower.told
    return len(rows)


@test
def a_failover_loses_and_repeats_nothing(url):
    with pair("failover") as (primary, standby):
        with Broker(both(primary, standby), "failover-broker") as broker:
            publishers = [Publisher(broker, name) for name in "xyz"]
            follower = Follower(broker)
            eventually(lambda: all(len(p.offsets) > 50 for p in publishers), 20)
            primary.kill()
            eventually(lambda: not broker.is_ready(), 20)
            before = sum(len(p.offsets) for p in publishers)
            time.sleep(1.5)
            promoted(primary, standby)
            eventually(lambda: broker.is_ready(), 20)
            eventually(lambda: all(len(p.offsets) > 150 for p in publishers), 40)
            # The old primary is back, and can be written to: nobody may take it for the log.
            primary.start()
            db = connect(primary.url)
            db.execute("ALTER SYSTEM RESET synchronous_standby_names")
            db.execute("SELECT pg_reload_conf()")
            query(
                connect(standby.url),
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name LIKE 'sluice%%' AND pid <> pg_backend_pid()",
            )
            counts = [len(p.offsets) for p in publishers]
            eventually(
                lambda: all(len(p.offsets) > n + 50 for p, n in zip(publishers, counts)), 40
            )
            for publisher in publishers:
                publisher.finish()
            total = check(standby.url, publishers, follower)
            follower.stop.set()
            refusals = sum((p.refusals for p in publishers), collections.Counter())
            print(f"     {total} events, {before} before the crash, refused: {dict(refusals)}")
            assert set(refusals) <= {"database_unavailable", "outcome_unknown"}, refusals
            assert one(db, "SELECT count(*) FROM sluice.events") < total, "the old one got nothing"
            log = broker.log.read_text()
            assert "append connection is down" in log and "incarnation" in log


@test
def a_silent_first_server_is_passed_over(url):
    with pair("silent") as (primary, standby):
        promoted(primary, standby)
        # Connections are accepted by the kernel, and nobody answers.
        os.kill(primary.postmaster(), signal.SIGSTOP)
        try:
            start = time.time()
            with Broker(both(primary, standby), "silent-broker") as broker:
                assert time.time() - start < 30
                status, _, answer = broker.ask(
                    "POST",
                    "/v1/topics/failover/events",
                    "1",
                    {"Content-Type": "application/json"},
                )
                assert status == 201, answer
        finally:
            os.kill(primary.postmaster(), signal.SIGCONT)
