"""Tests of the SQL functions, on private PostgreSQL servers.

    Tests/SQL/log_test.py [--seed N] [--held SECONDS] [--sluice PATH] [--pgbin DIR] [test ...]

A word selects the tests whose names contain it. The servers run below a directory in /tmp, on unix
sockets, and are stopped by pid; servers refuse root, so as root they run as another user. The
schema is what `sluice migrate` makes. Needs psycopg (Debian: python3-psycopg).
"""

import argparse
import pathlib
import random
import shutil
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True

import harness
import servers

ROOT = pathlib.Path(__file__).resolve().parents[2]


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--held", type=float, default=10, help="seconds to hold a snapshot")
    parser.add_argument("--sluice", default=ROOT / ".build/debug/sluice", help="the program")
    parser.add_argument("--pgbin", default=servers.newest_binaries(), help="initdb, postgres, …")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("tests", nargs="*")
    return parser.parse_intermixed_args(namespace=harness.ARGUMENTS)


def run(function, url):
    start = time.time()
    # Each test has its own chance, so that it is the same when the test runs alone.
    random.seed(f"{harness.ARGUMENTS.seed} {function.__name__}")
    try:
        function(url)
        word = "ok  "
    except Exception:
        traceback.print_exc()
        word = "FAIL"
    name = function.__name__.replace("_", " ")
    print(f"{word} {name} ({time.time() - start:.1f} s)", flush=True)
    return word == "ok  "


def main():
    chosen = arguments()
    for path in sorted(pathlib.Path(__file__).parent.glob("*_tests.py")):
        __import__(path.stem)
    tests = [
        test
        for test in harness.TESTS
        if not chosen.tests or any(word in test.__name__ for word in chosen.tests)
    ]
    print(f"{len(tests)} tests, seed {chosen.seed}", flush=True)
    chosen.pgdata = tempfile.mkdtemp(prefix="sluice-sql-")
    try:
        servers.own(chosen.pgdata)
        with servers.Server("main").start() as server:
            harness.load(server.url)
            failed = [test.__name__ for test in tests if not run(test, server.url)]
    finally:
        shutil.rmtree(chosen.pgdata)
    print(f"{len(tests) - len(failed)} passed, {len(failed)} failed; seed {chosen.seed}")
    for name in failed:
        print(f"again: Tests/SQL/log_test.py --seed {chosen.seed} {name}")
    return bool(failed) or not tests


if __name__ == "__main__":
    sys.exit(main())
