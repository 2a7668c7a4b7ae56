"""The examples that need no library of ours: each goes on exactly, over breaks and new starts."""

import asyncio
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
from typing import Any

import support
from client_test import WithABroker
from support import Proxy, fresh_topic, publish_numbers, until

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "Examples"


class AnExample(WithABroker):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.proxy = await self.enterAsyncContext(Proxy(support.broker.port))
        self.directory = self.enterContext(tempfile.TemporaryDirectory())
        self.environment = {
            **os.environ, "SLUICE_URL": self.proxy.url, "SLUICE_TOKEN": support.broker.token,
            "SLUICE_CA_FILE": support.broker.ca_file,
        }  # fmt: skip

    def begin(self, *command: str) -> subprocess.Popen[bytes]:
        """What it prints is appended to a file."""
        with open(f"{self.directory}/output", "ab") as output:
            process = subprocess.Popen(
                command, env=self.environment, stdin=subprocess.PIPE, stdout=output,
                start_new_session=True,
            )  # fmt: skip
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process: subprocess.Popen[bytes]) -> None:
        if process.stdin:
            process.stdin.close()
        if process.poll() is None:
            os.killpg(process.pid, 9)
            process.wait()

    def offsets(self) -> list[int]:
        """Those that it has shown."""
        shown = []
        for line in pathlib.Path(f"{self.directory}/output").read_text().splitlines():
            found = re.match(r'\{"type":"event",.*?"offset":(\d+)|\S+ (\d+) \d+$', line)
            if found:
                shown.append(int(found[1] or found[2]))
        return shown

    async def check(self, topic: str, *command: str) -> None:
        await publish_numbers(self.client, topic, 1, 5)
        process = self.begin(*command)
        await until(lambda: len(self.offsets()) >= 5)
        self.proxy.cut()
        await publish_numbers(self.client, topic, 6, 10)
        await until(lambda: len(self.offsets()) >= 10)
        # Time to remember it.
        await asyncio.sleep(0.5)
        self.end(process)
        await publish_numbers(self.client, topic, 11, 15)
        process = self.begin(*command)
        await until(lambda: len(self.offsets()) >= 15)
        self.assertEqual(self.offsets(), list(range(1, 16)))
        self.end(process)

    def curl(self, command: str, *more: str, lines: str = "") -> Any:
        done = subprocess.run(
            [str(EXAMPLES / "curl.sh"), command, *more], env=self.environment, input=lines,
            capture_output=True, text=True, timeout=support.DEADLINE,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return json.loads(done.stdout)

    async def test_with_websockets_goes_on_exactly(self) -> None:
        prefix, file = fresh_topic(""), f"{self.directory}/position"
        program = str(EXAMPLES / "python_websockets.py")
        await self.check(f"{prefix}a", sys.executable, program, f"{prefix}>", file)
        self.assertIn(f"{prefix}a", json.loads(pathlib.Path(file).read_text())["cursors"])

    async def test_with_aiohttp_goes_on_exactly_and_publishes(self) -> None:
        topic, file = fresh_topic(), f"{self.directory}/position"
        command = (sys.executable, str(EXAMPLES / "python_aiohttp.py"), topic, file)
        await self.check(topic, *command)
        process = self.begin(*command)
        assert process.stdin
        process.stdin.write(b'16\n{"n": 17}\n')
        process.stdin.flush()
        await until(lambda: len(self.offsets()) >= 17)
        self.assertEqual(self.offsets(), list(range(1, 18)))

    async def test_with_httpx_sse_goes_on_exactly(self) -> None:
        topic, file = fresh_topic(), f"{self.directory}/position"
        program = str(EXAMPLES / "python_httpx_sse.py")
        await self.check(topic, sys.executable, program, topic, file)

    async def test_with_curl_goes_on_exactly(self) -> None:
        topic, file = fresh_topic(), f"{self.directory}/position"
        await self.check(topic, str(EXAMPLES / "curl.sh"), "follow", topic, file)

    async def test_with_curl_and_server_sent_events_goes_on_exactly(self) -> None:
        topic, file = fresh_topic(), f"{self.directory}/position"
        await self.check(topic, str(EXAMPLES / "curl.sh"), "sse", topic, file)

    async def test_with_curl_publishes_and_reads_pages(self) -> None:
        topic = fresh_topic()
        told = await asyncio.to_thread(self.curl, "publish", topic, lines='1\n{"n":2}\n')
        self.assertEqual((told["first_offset"], told["last_offset"]), (1, 2))
        page = await asyncio.to_thread(self.curl, "page", topic)
        self.assertEqual([event["data"] for event in page["events"]], [1, {"n": 2}])
        cursor = page["events"][0]["cursor"]
        page = await asyncio.to_thread(self.curl, "page", topic, cursor)
        self.assertEqual([event["offset"] for event in page["events"]], [2])
        self.assertTrue(page["caught_up"])
