"""A broker of a test's own, with TLS and a database of its own, for tests that are no Swift."""

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time

DEADLINE = 60  # seconds; the machine may be busy


class PrivateBroker:
    """Is up when it is made, and gone with everything that it had behind `close`."""

    def __init__(self, program, *flags, stdin=subprocess.DEVNULL):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.url = f"https://{self.address}"
        self.directory = tempfile.mkdtemp(prefix="sluice-test-")
        # The database server is another user where root runs this.
        os.chmod(self.directory, 0o755)
        connection = f"{self.directory}/connection.json"
        self.log = open(f"{self.directory}/log", "wb")
        self.process = subprocess.Popen(
            [program, "serve", "--listen", self.url, "--data-dir", f"{self.directory}/data"]
            + ["--connection-file", connection, *flags],
            stdin=stdin,
            stdout=self.log,
            stderr=self.log,
        )
        end = time.monotonic() + DEADLINE
        while not os.path.exists(connection):
            if self.process.poll() is not None or time.monotonic() > end:
                with open(self.log.name) as log:
                    words = log.read()
                self.close()
                sys.exit(f"{program} did not start:\n{words}")
            time.sleep(0.05)
        with open(connection) as file:
            found = json.load(file)
        self.token, self.authority = found["token"], found.get("ca_file")
        self.tls = ssl.create_default_context(cafile=self.authority)

    def close(self):
        self.process.terminate()
        self.process.wait(DEADLINE)
        self.log.close()
        shutil.rmtree(self.directory)


def failures(tests, *arguments):
    """Runs each test and says what became of it; how many failed."""
    failed = 0
    for test in tests:
        try:
            test(*arguments)
            print(f"ok      {test.__name__}")
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            failed += 1
            print(f"FAILED  {test.__name__}: {error!r}")
    return failed
