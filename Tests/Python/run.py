#!/usr/bin/env python3
"""Tests sluice.py and the examples against a broker with a database of its own.

Tests/Python/run.py PATH-OF-SLUICE [PART-OF-A-TEST'S-NAME…]

The packages of requirements.txt have to be installed.
"""

import faulthandler
import logging
import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
here = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(here), str(here.parent.parent / "Clients/Python")]

import support

SECONDS_MAX = 900


def main() -> int:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    faulthandler.dump_traceback_later(SECONDS_MAX, exit=True)
    # unittest has asyncio tell of all that is slow, and so may the machine be.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    loader = unittest.TestLoader()
    loader.testNamePatterns = [f"*{part}*" for part in sys.argv[2:]] or None
    tests = loader.discover(str(here), "*_test.py")
    support.broker = support.Broker(sys.argv[1])
    try:
        support.broker.start()
        result = unittest.TextTestRunner(verbosity=2).run(tests)
    finally:
        support.broker.remove()
    return 0 if result.wasSuccessful() and result.testsRun else 1


if __name__ == "__main__":
    sys.exit(main())
