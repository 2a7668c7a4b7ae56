"""Floods a broker with publishers that never stop, and looks at what that costs the others.

    Tests/SQL/flood.py [--sluice PATH] [--seconds S]

Starts a broker with a server of its own below a directory in /tmp. One topic is flooded, all at a
time: single POSTs over many connections, each pipelined without end; NDJSON bodies of 500 events;
and sessions that publish without waiting for an answer. Meanwhile 20 quiet topics get 10 events a
second each, and publishers with another token send bursts to the flooded topic, and come again when
`Retry-After` says so.
Fails if memory has no bound, if a quiet topic's publish is refused or is slow by far, or if coming
again as told mostly fails. Prints figures for Figures.md.
"""

import argparse
import base64
import http.client
import json
import multiprocessing
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
QUIET = 20
# More than one token may have waiting in a topic, all at once, every so many seconds.
POLITE, BURST = 40, 4
MIB = 1 << 20
# The queue before the log (64 MiB) and what its requests cost beside their bytes, the newest events
# (64 MiB), the bodies that are being read; far below what the flood sends.
MEMORY_MAX = 700 * MIB
# Two batches are before a quiet topic's event: the one in flight, and its turn in the next.
FACTOR_MAX = 40
DELAY_MAX = 1.0


def request(path, token, body, media="application/json"):
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {media}\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def frame(text):
    """A masked text frame; the mask is nought."""
    data = text.encode()
    assert 125 < len(data) < 65536
    return bytes([0x81, 0xFE]) + len(data).to_bytes(2, "big") + bytes(4) + data


def open_session(port, token):
    link = socket.create_connection(("127.0.0.1", port))
    key = base64.b64encode(os.urandom(16)).decode()
    link.sendall(
        (
            "GET /v1/connect HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            f"Authorization: Bearer {token}\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: sluice.v1\r\n\r\n"
        ).encode()
    )
    return link


def pour(port, token, kind, seconds, counts):
    """One connection that sends without end, and throws its answers away."""
    data = json.dumps("x" * 100)
    if kind == "single":
        piece = request("/v1/topics/flood/events", token, data.encode()) * 50
    elif kind == "ndjson":
        lines = (data + "\n").encode() * 500
        piece = request("/v1/topics/flood/events", token, lines, "application/x-ndjson")
    else:
        message = '{"type":"publish","id":%d,"topic":"flood","data":"' + "x" * 100 + '"}'
        piece = b"".join(frame(message % number) for number in range(1, 500))
    end, link = time.time() + seconds, None
    while time.time() < end:
        try:
            if kind == "session":
                link = open_session(port, token)
            else:
                link = socket.create_connection(("127.0.0.1", port))
            link.settimeout(5)
            reader = threading.Thread(target=drink, args=(link, kind, counts), daemon=True)
            reader.start()
            while time.time() < end:
                link.sendall(piece)
                with counts.get_lock():
                    counts[3] += len(piece)
        except OSError:
            with counts.get_lock():
                counts[2] += 1
            time.sleep(0.05)
        finally:
            if link:
                link.close()


def pour_all(port, token, kinds, seconds, counts):
    # A flood from other machines would leave the broker its processor.
    os.nice(10)
    threads = [
        threading.Thread(target=pour, args=(port, token, kind, seconds, counts), daemon=True)
        for kind in kinds
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds + 10)


def drink(link, kind, counts):
    try:
        while data := link.recv(1 << 16):
            good, bad = (b'"published"', b'"error"') if kind == "session" else (b" 201 ", b" 429 ")
            with counts.get_lock():
                counts[0] += data.count(good)
                counts[1] += data.count(bad)
    except OSError:
        pass


class Quiet(threading.Thread):
    """Ten events a second to a topic of its own."""

    def __init__(self, port, token, number):
        super().__init__(daemon=True)
        self.headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        self.path = f"/v1/topics/quiet.{number}/events"
        self.link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.delays, self.refusals = [], []
        self.is_over = False
        self.start()

    def run(self):
        while not self.is_over:
            begun = time.time()
            self.link.request("POST", self.path, "1", self.headers)
            answer = self.link.getresponse()
            text = answer.read()
            self.delays.append(time.time() - begun)
            if answer.status != 201:
                self.refusals.append((answer.status, text))
            time.sleep(max(0, begun + 0.1 - time.time()))

    def take(self):
        delays, self.delays = self.delays, []
        return delays


class Polite(threading.Thread):
    """Sends a body of 500 events when all its like do, and comes again when it is told to."""

    def __init__(self, port, token):
        super().__init__(daemon=True)
        self.headers = {
            "Content-Type": "application/x-ndjson",
            "Authorization": f"Bearer {token}",
        }
        self.link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.taken, self.passed, self.failed, self.waits = 0, 0, 0, []
        self.is_over = False
        self.start()

    def post(self):
        body = ('"' + "y" * 100 + '"\n') * 500
        self.link.request("POST", "/v1/topics/flood/events", body, self.headers)
        answer = self.link.getresponse()
        answer.read()
        return answer

    def run(self):
        while not self.is_over:
            time.sleep(BURST - time.time() % BURST)
            answer = self.post()
            if answer.status == 201:
                self.taken += 1
                continue
            assert answer.status in (429, 503), answer.status
            self.waits.append(int(answer.headers["Retry-After"]))
            time.sleep(self.waits[-1])
            if self.post().status == 201:
                self.passed += 1
            else:
                self.failed += 1


def memory(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{pid}/status").read())[1]) * 1024


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def flood(port, token, pid, seconds):
    counts = multiprocessing.Array("q", 4)
    kinds = ["single"] * 16 + ["ndjson"] * 4 + ["session"] * 4
    pourer = multiprocessing.Process(target=pour_all, args=(port, token, kinds, seconds, counts))
    pourer.start()
    most = 0
    while pourer.is_alive():
        most = max(most, memory(pid))
        time.sleep(0.1)
    return most, list(counts)


def measure(port, tokens, pid, seconds):
    flooding, other = tokens
    quiet = [Quiet(port, other, number) for number in range(QUIET)]
    time.sleep(2)
    for publisher in quiet:
        publisher.take()
    before = memory(pid)
    time.sleep(seconds / 2)
    calm = [delay for publisher in quiet for delay in publisher.take()]
    polite = [Polite(port, other) for _ in range(POLITE)]
    most, (taken, refused, broken, sent) = flood(port, flooding, pid, seconds)
    loud = [delay for publisher in quiet for delay in publisher.take()]
    for publisher in polite + quiet:
        publisher.is_over = True
    for publisher in polite + quiet:
        publisher.join(60)
    time.sleep(3)
    after = memory(pid)
    print(
        f"sent {sent / MIB:.0f} MiB in {seconds} s: {taken} taken, {refused} refused, {broken}"
        f" connections ended"
    )
    print(
        f"memory: {before / MIB:.0f} MiB before, {most / MIB:.0f} at most, {after / MIB:.0f} after"
    )
    for name, delays in (("calm", calm), ("flooded", loud)):
        p = [1000 * percentile(delays, x) for x in (0.5, 0.99)]
        print(f"{name}: a quiet topic's publish p50 {p[0]:.1f}  p99 {p[1]:.1f} ms, {len(delays)}")
    factor = percentile(loud, 0.5) / percentile(calm, 0.5)
    first, passed, failed = (
        sum(getattr(p, name) for p in polite) for name in ("taken", "passed", "failed")
    )
    waits = [wait for publisher in polite for wait in publisher.waits]
    print(
        f"factor of p50 {factor:.1f}; of the others' bodies {first} taken at once, {passed} when"
        f" they came again as told, {failed} refused again"
    )
    print(f"Retry-After: {min(waits, default=0)} to {max(waits, default=0)} s")
    assert most < MEMORY_MAX, "memory has no bound"
    refusals = [refusal for publisher in quiet for refusal in publisher.refusals]
    assert not refusals, refusals[:3]
    assert percentile(loud, 0.5) < max(DELAY_MAX, FACTOR_MAX * percentile(calm, 0.5))
    assert passed >= failed, "Retry-After does not fit"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sluice", default=ROOT / ".build/release/sluice", help="the program")
    parser.add_argument("--seconds", type=int, default=20)
    chosen = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="sluice-flood-")
    os.chmod(directory, 0o755)
    broker = subprocess.Popen(
        ["setpriv", "--pdeathsig=INT", chosen.sluice, "serve", "--data-dir", directory + "/data"]
        + ["--listen", "http://127.0.0.1:0", "--connection-file", directory + "/connection.json"],
        env={**os.environ, "HOME": directory, "XDG_CONFIG_HOME": directory + "/config"},
        stdout=open(directory + "/log", "w"),
        stderr=subprocess.STDOUT,
    )
    try:
        said = lambda: open(directory + "/log").read()
        while not (ready := re.search(r"ready at http://127.0.0.1:(\d+)", said())):
            assert broker.poll() is None, said()
            time.sleep(0.05)
        tokens = [json.load(open(directory + "/connection.json"))["token"]]
        made = subprocess.run(
            [chosen.sluice, "token", "create", "--name", "other"]
            + ["--data-dir", directory + "/data"],
            check=True,
            capture_output=True,
            text=True,
        )
        tokens.append(re.search(r"slc_\w+", made.stdout)[0])
        measure(int(ready[1]), tokens, broker.pid, chosen.seconds)
    finally:
        broker.send_signal(signal.SIGINT)
        broker.wait(60)
        lines = open(directory + "/log").read().splitlines()
        print(f"{len(lines)} lines in its log")
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
