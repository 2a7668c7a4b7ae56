"""A broker of a measurement's own, and what it and its server cost."""

import contextlib
import glob
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / ".build/release/sluice"


class Broker:
    """Runs until `stop`; with a PostgreSQL of its own unless `database` names one."""

    def __init__(self, program, port, database=None):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        self.directory = tempfile.mkdtemp(prefix="sluice-figures-")
        os.chmod(self.directory, 0o755)
        home = {"HOME": self.directory, "XDG_CONFIG_HOME": self.directory + "/config"}
        place = ["--database-url", database] if database else []
        log = open(self.directory + "/log", "w")
        self.process = subprocess.Popen(
            [program, "serve", "--data-dir", self.directory + "/data"]
            + ["--listen", f"https://127.0.0.1:{port}", *place],
            env={**os.environ, **home},
            stdout=log,
            stderr=log,
        )
        self.port = port
        self.socket = self.directory + "/data/postgres"
        self.database = database or f"host={self.socket} port=5432 user=sluice dbname=sluice"
        while not (files := glob.glob(self.directory + "/**/connection.json", recursive=True)):
            assert self.process.poll() is None, open(self.directory + "/log").read()
            time.sleep(0.05)
        connection = json.load(open(files[0]))
        self.url = connection["url"]
        # One of the first broker of a database is good for the others, too.
        self.token = connection.get("token")

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
        shutil.rmtree(self.directory)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.stop()

    def cost(self):
        """CPU seconds since the start: the broker's, and those of its server's processes.

        A server's process that ended counts no more, so read it while the same ones run.
        """
        first, *others = processes(self.process.pid)
        return cpu(first), sum(map(cpu, others))

    def connect(self):
        """A connection for HTTP/1.1."""
        plain = socket.create_connection(("127.0.0.1", self.port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return trusting().wrap_socket(plain)

    def post(self, topic, body, media="application/json"):
        """The bytes of a request."""
        return (
            f"POST /v1/topics/{topic}/events HTTP/1.1\r\nhost: localhost\r\n"
            f"authorization: Bearer {self.token}\r\ncontent-type: {media}\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        ).encode() + body


def trusting():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def read_answer(connection):
    """Of a publish; its status and body."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += receive(connection)
    head, _, body = answer.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    while len(body) < int(fields[b"content-length"]):
        body += receive(connection)
    return int(head.split()[1]), body


def receive(connection):
    chunk = connection.recv(65536)
    assert chunk, "the broker hung up"
    return chunk


def cpu(pid):
    """Seconds of a process with all of its threads; 0 of one that has ended."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        tasks = glob.glob(f"/proc/{pid}/task/*/schedstat")
        return sum(int(open(task).read().split()[0]) for task in tasks) / 1e9
    return 0


def processes(pid):
    """Of a process and what it started; itself first."""
    found = [pid]
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for children in glob.glob(f"/proc/{pid}/task/*/children"):
            for child in open(children).read().split():
                found += processes(int(child))
    return found


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
