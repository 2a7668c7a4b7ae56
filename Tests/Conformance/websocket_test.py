#!/usr/bin/env python3
"""Holds sluice-echo against RFC 6455 and 7692, with the cases of the Autobahn test suite's list.

Tests/Conformance/websocket_test.py .build/release/sluice-echo
Tests/Conformance/websocket_test.py .build/release/sluice-echo --tls --only 12. 13.
"""

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True

from deflate_cases import CASES
from websocket_client import Client


class Server:
    """A sluice-echo of this run alone."""

    def __init__(self, program, is_tls, directory):
        self.authority = f"{directory}/certificates/ca.pem" if is_tls else None
        mode = ["--certificates", f"{directory}/certificates"] if is_tls else ["--plain"]
        self.process = subprocess.Popen(
            [program, "--port", "0", *mode], stdout=subprocess.PIPE, text=True
        )
        for line in self.process.stdout:
            if line.startswith("listening on "):
                self.port = int(line.rsplit(":", 1)[1])
                return
        sys.exit(f"{program} did not start")

    def stop(self):
        self.process.terminate()
        self.process.wait()


def order(number):
    return [int(part) for part in number.split(".")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="the path of sluice-echo")
    parser.add_argument("--tls", action="store_true", help="wss:// instead of ws://")
    parser.add_argument(
        "--only", nargs="*", default=[""], help="cases whose numbers begin so, such as 6. or 9.1.6"
    )
    parser.add_argument(
        "--messages",
        type=int,
        default=100,
        help="how many one case of 9.7, 9.8, 12 and 13 sends; 1000 in the public suite",
    )
    arguments = parser.parse_args()
    chosen = [number for number in CASES if number.startswith(tuple(arguments.only))]
    failed, begin = [], time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        server = Server(arguments.program, arguments.tls, directory)
        with contextlib.ExitStack() as stack:
            stack.callback(server.stop)
            for number in sorted(chosen, key=order):
                run = CASES[number]
                try:
                    client = Client(server, getattr(run, "offers", None))
                    if hasattr(run, "takes_messages"):
                        run(client, arguments.messages)
                    else:
                        run(client)
                # A case fails by what the server does, whatever that breaks here.
                except Exception as error:
                    failed.append(number)
                    print(f"FAILED {number}: {type(error).__name__}: {error}", flush=True)
                if server.process.poll() is not None:
                    sys.exit(f"sluice-echo ended with {server.process.returncode} in {number}")
    seconds = time.monotonic() - begin
    print(f"{len(chosen)} cases, {len(failed)} failed, {seconds:.0f} s")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
