"""A broker on two servers: the primary dies, the standby takes over, the old one comes back."""

import http.client
import re
import socket

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

    def said(self, text):
        """Lines of its log."""
        return [line for line in self.log.read_text().splitlines() if text in line]

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            print(self.log.read_text()[-8000:])
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


class BlackHole:
    """Leads TCP to a server's unix socket, until it swallows everything, silently."""

    def __init__(self, server):
        self.path = f"{server.root}/.s.PGSQL.{server.port(server.name)}"
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.is_silent = False
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.socket(socket.AF_UNIX)
                if not self.is_silent:
                    server.connect(self.path)
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self.pump, args=(source, target), daemon=True).start()

    def pump(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not self.is_silent:
                    target.sendall(data)
        if not self.is_silent:
            with contextlib.suppress(OSError):
                target.shutdown(socket.SHUT_RDWR)


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
            assert "a part of the log is down" in log and "incarnation" in log


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


# From the moment at which another host takes writes (Log.md, "Connections").
BOUND = 15


@test
def a_host_that_falls_silent_is_left_within_the_bound(url):
    with pair("hole") as (primary, standby):
        hole = BlackHole(primary)
        url = (
            f"host=127.0.0.1,{standby.root} port={hole.port},{standby.port(standby.name)}"
            " user=sluice dbname=postgres sslmode=disable gssencmode=disable"
        )
        with Broker(url, "hole-broker") as broker:
            publishers = [Publisher(broker, name) for name in "xy"]
            follower = Follower(broker)
            eventually(lambda: all(len(p.offsets) > 50 for p in publishers), 20)
            # What is open stays open, what is new is accepted, and nothing is answered.
            hole.is_silent = True
            promoted(primary, standby)
            start, counts = time.time(), [len(p.offsets) for p in publishers]
            # The requests in flight are answered after 10 s, and then go to the other host.
            eventually(
                lambda: broker.is_ready()
                and all(len(p.offsets) > n + 20 for p, n in zip(publishers, counts)),
                60,
            )
            took = time.time() - start
            for publisher in publishers:
                publisher.finish()
            total = check(standby.url, publishers, follower)
            follower.stop.set()
            refusals = sum((p.refusals for p in publishers), collections.Counter())
            print(f"     {total} events, over after {took:.1f} s, refused: {dict(refusals)}")
            assert took < BOUND + 5, "with 20 more events from each publisher"
            answer = broker.ask("GET", "/readyz")[2]
            assert {part["state"] for part in answer["parts"]} == {"up"}, answer


class Phases:
    """What /readyz says, and that the broker's log says each change once."""

    def __init__(self, broker):
        self.broker = broker

    def reach(self, status, reason, seconds=30):
        def holds():
            self.last = self.broker.ask("GET", "/readyz")
            needed = [part for part in self.last[2]["parts"] if part["needed"]]
            if reason is None:
                return self.last[0] == status and all(p["state"] == "up" for p in needed)
            # A connection that nobody uses may not have noticed yet.
            reasons = {part["reason"] for part in needed if part["state"] != "up"}
            return self.last[0] == status and reasons == {reason}

        try:
            eventually(holds, seconds)
        except AssertionError:
            raise AssertionError(f"not {reason}: {self.last}")
        assert self.broker.ask("GET", "/healthz")[0] == 200
        return self.last[2]

    def check_log(self):
        last = {}
        for line in self.broker.said("a part of the log is"):
            part = re.search(r"\bpart=(\w+)", line)[1]
            word = re.search(r"\breason=.*? remedy=|is up|not answered|answered again", line)[0]
            assert last.get(part) != word, f"said twice: {line}"
            last[part] = word
        lines = self.broker.log.read_text().splitlines()
        assert len(lines) < 150, f"a flood of {len(lines)} lines"


@test
def each_phase_of_a_failover_is_told(url):
    with pair("phases") as (primary, standby):
        with Broker(both(primary, standby), "phases-broker") as broker:
            phases = Phases(broker)
            phases.reach(200, None)
            topic = ("PUT", "/v1/topics/phases", "{}", {"Content-Type": "application/json"})
            assert broker.ask(*topic)[0] == 201
            # The primary waits for a standby that is away.
            standby.stop()
            headers = {"Content-Type": "application/json", "Idempotency-Key": "1"}
            post = lambda: broker.ask("POST", "/v1/topics/phases/events", "1", headers)
            waiting = Background(post)
            eventually(lambda: broker.ask("GET", "/readyz")[0] == 503, 20)
            status, _, answer = waiting.result()
            assert (status, answer["code"]) == (503, "outcome_unknown"), answer
            answer = broker.ask("GET", "/readyz")[2]
            append = answer["parts"][0]
            assert (append["part"], append["state"]) == ("append", "stuck"), answer
            assert "synchronous standby" in answer["remedy"], answer
            standby.start("-c", "hot_standby=on")
            phases.reach(200, None)
            assert post()[0] == 201
            primary.kill()
            answer = phases.reach(503, "no_writable_server")
            assert "Promote a standby" in answer["remedy"], answer
            assert "read-only" in answer["parts"][0]["error"], answer
            promoted(primary, standby)
            phases.reach(200, None)
            standby.stop()
            answer = phases.reach(503, "unreachable")
            assert str(standby.root) not in json.dumps(answer), "names are for the broker's log"
            primary.start()
            answer = phases.reach(503, "stale_primary")
            assert answer["code"] == "database_unavailable", answer
            standby.start()
            phases.reach(200, None)
            assert post()[0] == 201
            phases.check_log()


def dump(server, path):
    server.run("pg_dump", "-Fc", "-d", server.url, "-f", path, "-n", "sluice")


def restore(server, path):
    # In one transaction, so that brokers see the log before it or behind it; again when it met
    # their locks.
    options = ("--clean", "--if-exists", "--single-transaction")
    for last in (False,) * 9 + (True,):
        try:
            return server.run("pg_restore", *options, "-d", server.url, path)
        except AssertionError as error:
            if last or "deadlock" not in str(error):
                raise


@test
def a_dump_restored_under_load_resets_who_saw_more(url):
    with Server("restored").start() as server:
        load(server.url)
        with Broker(server.url, "restored-a") as one_broker, Broker(
            server.url, "restored-b"
        ) as other:
            publishers = [Publisher(one_broker, "x"), Publisher(other, "y")]
            followers = [Follower(one_broker), Follower(other)]
            eventually(lambda: all(len(p.offsets) > 30 for p in publishers), 20)
            path = server.root / "older.dump"
            dumped = [dict(p.offsets) for p in publishers]
            dump(server, path)
            counts = [len(p.offsets) for p in publishers]
            eventually(
                lambda: all(len(p.offsets) > n + 50 for p, n in zip(publishers, counts)), 20
            )
            before = sessions_incarnation(server.url)[0]
            restore(server, path)
            counts = [len(p.offsets) for p in publishers]
            eventually(
                lambda: all(len(p.offsets) > n + 50 for p, n in zip(publishers, counts)), 40
            )
            for publisher in publishers:
                publisher.finish()
            assert sessions_incarnation(server.url)[0] != before
            fork = one(
                connect(server.url),
                "SELECT f.off FROM sluice.forks f JOIN sluice.topics t USING (topic_id)"
                " WHERE name = 'failover' ORDER BY number DESC LIMIT 1",
            )
            rows = query(
                connect(server.url),
                "SELECT off, payload #>> '{}' FROM sluice.events e"
                " JOIN sluice.topics t USING (topic_id) WHERE name = 'failover' ORDER BY off",
            )
            assert [off for off, _ in rows] == list(range(1, len(rows) + 1)), "dense"
            kept = {data: off for off, data in rows}
            assert len(kept) == len(rows), "twice in the log"
            for known in dumped:
                for data, offset in known.items():
                    assert kept[data] == offset
            for follower in followers:
                eventually(lambda: follower.seen and follower.seen[-1] == rows[-1], 30)
                resets = [message for message in follower.told if message["type"] == "reset"]
                assert [message["reason"] for message in resets] == ["restored"], follower.told
                assert follower.told == resets, follower.told
                assert resets[0]["cursor"].endswith(f"-{fork}"), (resets, fork)
                # Behind the reset, the log as it is now from the fork on, once and in order.
                again = next(
                    index
                    for index, (seen, then) in enumerate(zip(follower.seen, follower.seen[1:]))
                    if then[0] <= seen[0]
                )
                assert follower.seen[again + 1 :] == rows[fork:]
                follower.stop.set()
            refusals = sum((p.refusals for p in publishers), collections.Counter())
            print(f"     {len(rows)} events, fork at {fork}, refused: {dict(refusals)}")


@test
def a_dump_older_than_the_incarnation_needs_the_brokers_to_start_again(url):
    with Server("older").start() as server:
        load(server.url)
        path = server.root / "ancestor.dump"
        dump(server, path)
        db = connect(server.url)
        one(db, "SELECT sluice.end_incarnation(%s)", sessions_incarnation(server.url)[0])
        post = ("POST", "/v1/topics/failover/events", "1", {"Content-Type": "application/json"})
        with Broker(server.url, "older-broker") as broker:
            assert broker.ask(*post)[0] == 201
            restore(server, path)
            broker.ask(*post)
            # It looks like a primary that was replaced: nothing is appended there unasked.
            answer = Phases(broker).reach(503, "stale_primary")
            assert "backup" in answer["remedy"], answer
        with Broker(server.url, "older-broker") as broker:
            assert broker.ask(*post)[0] == 201
