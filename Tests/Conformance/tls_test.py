#!/usr/bin/env python3
"""Tries a broker's TLS with other people's: curl, Python's ssl, and openssl's s_client.

Tests/Conformance/tls_test.py .build/debug/sluice
Tests/Conformance/tls_test.py .build/debug/sluice --openssl-records

Needs curl and openssl. The broker has a database of its own, and is gone afterwards.
"""

import argparse
import contextlib
import json
import os
import select
import socket
import ssl
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Support"))

from private_broker import DEADLINE, PrivateBroker, failures

SUITES = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")


class Broker(PrivateBroker):
    def __init__(self, program, openssl_records):
        own = [] if not openssl_records else ["--tls-own-records", "false"]
        super().__init__(program, *own)

    def request(self, method, path, body=b"", more=""):
        return (
            f"{method} {path} HTTP/1.1\r\nhost: localhost\r\n{more}"
            f"authorization: Bearer {self.token}\r\ncontent-type: application/x-ndjson\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        ).encode() + body


class Connection:
    """A TLS connection whose records pass through the test's hands."""

    def __init__(self, broker):
        self.socket = socket.create_connection(("127.0.0.1", broker.port), timeout=DEADLINE)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = broker.tls.wrap_bio(
            self.incoming, self.outgoing, server_hostname="localhost"
        )
        self.perform(self.tls.do_handshake)

    def flush(self):
        self.socket.sendall(self.outgoing.read())

    def perform(self, action):
        """Does what may need bytes of the server."""
        while True:
            try:
                result = action()
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
                data = self.socket.recv(65536)
                if data:
                    self.incoming.write(data)
                else:
                    self.incoming.write_eof()

    def read_answer(self):
        """Status and body."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self.perform(lambda: self.tls.read(65536))
        head, body = data.split(b"\r\n\r\n", 1)
        length = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        )
        while len(body) < length:
            body += self.perform(lambda: self.tls.read(65536))
        return int(head.split()[1]), body

    def ask(self, request):
        self.tls.write(request)
        self.flush()
        return self.read_answer()


def curl(broker, *arguments):
    return subprocess.run(
        ["curl", "-sS", "--max-time", str(DEADLINE), "--cacert", broker.authority, *arguments],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def curl_publishes_and_reads(broker):
    url = f"https://localhost:{broker.port}/v1/topics/curl/events"
    token = ["-H", f"authorization: Bearer {broker.token}"]
    kinds = [["--tls13-ciphers", suite, "--tlsv1.3"] for suite in SUITES]
    for count, kind in enumerate([*kinds, ["--tlsv1.2", "--tls-max", "1.2"]], 1):
        curl(broker, *kind, *token, "--fail", "--json", f'{{"n":{count}}}', url)
        # Two requests of one connection.
        curl(broker, *kind, *token, "--fail", f"{url}?from=earliest", f"{url}?from=latest")
        page = curl(broker, *kind, *token, f"{url}?from=earliest&view=data")
        assert page.count('"n"') == count, page


def python_sends_and_takes_megabytes(broker):
    connection = Connection(broker)
    assert connection.tls.version() == "TLSv1.3"
    lines = [json.dumps({"n": n, "x": "y" * 60_000}) for n in range(100)]
    body = "\n".join(lines).encode()
    status, _ = connection.ask(broker.request("POST", "/v1/topics/large/events", body))
    assert status in (200, 201), status
    seen = []
    for start in range(1, 101, 50):
        path = f"/v1/topics/large/events?from=offset:{start}&limit=50"
        status, answer = connection.ask(broker.request("GET", path))
        assert status == 200, answer
        seen += [event["data"]["n"] for event in json.loads(answer)["events"]]
    assert seen == list(range(100)), seen


def python_sends_records_byte_by_byte(broker):
    connection = Connection(broker)
    connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.tls.write(broker.request("GET", "/readyz"))
    for byte in connection.outgoing.read():
        connection.socket.sendall(bytes([byte]))
    assert connection.read_answer()[0] == 200


def python_hears_close_notify(broker):
    connection = Connection(broker)
    status, _ = connection.ask(broker.request("GET", "/readyz", more="connection: close\r\n"))
    assert status == 200
    # The end is the server's word; without it, this is an SSLEOFError.
    assert connection.perform(lambda: connection.tls.read(10)) == b""
    connection.perform(connection.tls.unwrap)


def python_says_close_notify(broker):
    connection = Connection(broker)
    connection.perform(connection.tls.unwrap)
    while connection.socket.recv(1000):
        pass


def a_changed_bit_ends_it(broker):
    for place in (0, 3, 4, 5, 40, -17, -1):
        connection = Connection(broker)
        connection.tls.write(broker.request("GET", "/readyz"))
        record = bytearray(connection.outgoing.read())
        record[place] ^= 1
        # A length that has grown is filled.
        connection.socket.sendall(record + bytes(300))
        try:
            connection.perform(lambda: connection.tls.read(10))
            raise AssertionError("an answer")
        except ssl.SSLError as error:
            expected = "UNEXPECTED_MESSAGE" if place == 0 else "BAD_RECORD_MAC"
            assert expected in str(error.reason), (place, error.reason)


class SClient:
    """openssl s_client, to which a letter of its own line is a command."""

    def __init__(self, broker, *options):
        self.process = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"localhost:{broker.port}"]
            + ["-CAfile", broker.authority, "-verify_return_error", "-msg", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.output = b""

    def say(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def await_text(self, text, count=1):
        end = time.monotonic() + DEADLINE
        while self.output.count(text) < count:
            left = end - time.monotonic()
            ready, _, _ = select.select([self.process.stdout], [], [], max(left, 0))
            data = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            assert data, f"no {text!r} in {self.output[-3000:]!r}"
            self.output += data

    def close(self):
        self.process.stdin.close()
        self.process.wait(DEADLINE)
        self.process.stdout.close()


def s_client_takes_new_keys(broker):
    for suite in SUITES:
        with contextlib.closing(SClient(broker, "-tls1_3", "-ciphersuites", suite)) as client:
            client.await_text(b"Verify return code: 0 (ok)")
            answers = 0
            for letter in "kKkKKk":
                client.say(f"{letter}\n".encode())
                client.await_text(b"KEYUPDATE", answers + 1)
                client.say(broker.request("GET", "/readyz"))
                answers += 1
                client.await_text(b"HTTP/1.1 200", answers)
            # Those that asked were answered.
            client.await_text(b"<<< TLS 1.3, Handshake [length 0005], KeyUpdate", 3)


def s_client_speaks_tls_1_2(broker):
    with contextlib.closing(SClient(broker, "-tls1_2")) as client:
        client.await_text(b"Verify return code: 0 (ok)")
        assert b"Cipher    : ECDHE-ECDSA-AES128-GCM-SHA256" in client.output
        for count in (1, 2):
            client.say(broker.request("GET", "/readyz"))
            client.await_text(b"HTTP/1.1 200", count)


TESTS = (
    curl_publishes_and_reads,
    python_sends_and_takes_megabytes,
    python_sends_records_byte_by_byte,
    python_hears_close_notify,
    python_says_close_notify,
    a_changed_bit_ends_it,
    s_client_takes_new_keys,
    s_client_speaks_tls_1_2,
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="the path of sluice")
    parser.add_argument(
        "--openssl-records", action="store_true", help="tls_own_records = false"
    )
    arguments = parser.parse_args()
    with contextlib.closing(Broker(arguments.program, arguments.openssl_records)) as broker:
        failed = failures(TESTS, broker)
        if broker.process.poll() is not None:
            failed += 1
            print("FAILED  the broker is gone")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
