#!/usr/bin/env python3
"""Tries a broker's certificates: by server name, renewed while it runs, and no good ones.

Tests/Conformance/certificates_test.py .build/debug/sluice

Needs openssl. The broker has a database of its own, and is gone afterwards.
"""

import argparse
import contextlib
import http.client
import os
import pty
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Support"))

from private_broker import DEADLINE, PrivateBroker, failures


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


class Authority:
    """A root, an intermediate that it signs, and certificates of that."""

    def __init__(self, directory):
        self.directory = directory
        self.count = 0
        self.root = self.certify("root", None, "basicConstraints=critical,CA:TRUE")
        self.middle = self.certify("middle", self.root, "basicConstraints=critical,CA:TRUE")

    def certify(self, name, issuer, extension):
        """Paths of a certificate and its key."""
        certificate, key = f"{self.directory}/{name}.pem", f"{self.directory}/{name}.key"
        self.count += 1
        request = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        request += ["-nodes", "-subj", f"/CN={name}", "-keyout", key]
        if issuer is None:
            request += ["-x509", "-days", "30", "-addext", "keyUsage=keyCertSign"]
            openssl(*request, "-out", certificate)
            return certificate, key
        openssl(*request, "-out", f"{certificate}.csr")
        with open(f"{certificate}.ext", "w") as file:
            file.write(extension)
        openssl(
            *["x509", "-req", "-in", f"{certificate}.csr", "-days", "30", "-out", certificate],
            *["-CA", issuer[0], "-CAkey", issuer[1], "-set_serial", str(self.count)],
            *["-extfile", f"{certificate}.ext"],
        )
        return certificate, key

    def issue(self, name, host, chain=True):
        certificate, key = self.certify(name, self.middle, f"subjectAltName=DNS:{host}")
        if chain:
            with open(certificate, "a") as file, open(self.middle[0]) as middle:
                file.write(middle.read())
        return certificate, key

    def client(self):
        return ssl.create_default_context(cafile=self.root[0])


def put(source, target):
    """Replaces a file as who renews does: at once."""
    with open(source, "rb") as file, open(f"{target}.new", "wb") as new:
        new.write(file.read())
    os.replace(f"{target}.new", target)


class Broker(PrivateBroker):
    def __init__(self, program, pairs):
        super().__init__(
            program,
            *["--cert", ",".join(certificate for certificate, _ in pairs)],
            *["--key", ",".join(key for _, key in pairs)],
        )

    def names(self, authority, host):
        """The names of the certificate that a client who asks for a host gets."""
        tls = authority.client()
        tls.check_hostname = False
        with contextlib.closing(self.connect(tls, host)) as connected:
            return [name for _, name in connected.getpeercert()["subjectAltName"]]

    def connect(self, tls, host):
        return tls.wrap_socket(
            socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE),
            server_hostname=host,
        )

    def said(self):
        with open(self.log.name) as log:
            return log.read()


def eventually(what, check):
    end = time.monotonic() + DEADLINE
    while not check():
        assert time.monotonic() < end, f"no {what}"
        time.sleep(0.05)


class Held:
    """A connection that was there before."""

    def __init__(self, broker, authority, host):
        self.http = http.client.HTTPConnection(host)
        self.http.sock = broker.connect(authority.client(), host)

    def is_good(self):
        self.http.request("GET", "/readyz")
        answer = self.http.getresponse()
        answer.read()
        return answer.status == 200


def serves_each_name_with_its_certificate(program, authority):
    pairs = [authority.issue("one", "one.test"), authority.issue("two", "*.two.test")]
    with contextlib.closing(Broker(program, pairs)) as broker:
        for host, expected in (
            ("one.test", "one.test"),
            ("a.two.test", "*.two.test"),
            ("b.two.test", "*.two.test"),
            ("a.b.two.test", "one.test"),
            ("other.test", "one.test"),
            (None, "one.test"),
        ):
            assert broker.names(authority, host) == [expected], host
        # Verified by name, as clients do, in both versions.
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            tls = authority.client()
            tls.minimum_version = tls.maximum_version = version
            for host in ("one.test", "a.two.test"):
                broker.connect(tls, host).close()


def takes_what_has_changed(program, authority):
    certificate, key = authority.issue("changing", "before.test")
    with contextlib.closing(Broker(program, [(certificate, key)])) as broker:
        held = Held(broker, authority, "before.test")
        assert held.is_good()
        new = authority.issue("new", "after.test")
        put(new[0], certificate)
        # The key follows later: until then, the one before is in force.
        eventually("complaint", lambda: "certificates not taken" in broker.said())
        assert broker.names(authority, "before.test") == ["before.test"]
        put(new[1], key)
        eventually(
            "new certificate", lambda: broker.names(authority, "after.test") == ["after.test"]
        )
        assert held.is_good()


def takes_them_on_sighup(program, authority):
    certificate, key = authority.issue("hangup", "before.test")
    with contextlib.closing(Broker(program, [(certificate, key)])) as broker:
        held = Held(broker, authority, "before.test")
        for number in (1, 2, 3):
            new = authority.issue(f"hangup{number}", f"after{number}.test")
            put(new[0], certificate)
            put(new[1], key)
            broker.process.send_signal(signal.SIGHUP)
            eventually(
                "new certificate",
                lambda: broker.names(authority, "x.test") == [f"after{number}.test"],
            )
        assert "because=SIGHUP" in broker.said()
        assert held.is_good()


def says_that_the_chain_lacks_something(program, authority):
    bare = authority.issue("bare", "bare.test", chain=False)
    with contextlib.closing(Broker(program, [bare])) as broker:
        assert "bare.pem: the certificate of its issuer is missing" in broker.said()
    with contextlib.closing(Broker(program, [authority.issue("whole", "whole.test")])) as broker:
        assert "whole.pem: it ends at an authority that this system does not" in broker.said()


def ends_with_its_terminal(program, authority):
    terminal, mine = pty.openpty()
    broker = PrivateBroker(program, stdin=mine)
    try:
        broker.process.send_signal(signal.SIGHUP)
        assert broker.process.wait(DEADLINE) == 0
    finally:
        broker.close()
        os.close(terminal)
        os.close(mine)


TESTS = (
    serves_each_name_with_its_certificate,
    takes_what_has_changed,
    takes_them_on_sighup,
    says_that_the_chain_lacks_something,
    ends_with_its_terminal,
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="the path of sluice")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        failed = failures(TESTS, arguments.program, Authority(directory))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
