"""What the tests share: a broker, a proxy that can be cut, and waiting for conditions."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterable
from typing import Any

from sluice import AsyncSluice, AsyncSubscription, Event, Gap, Item, OutgoingEvent

# The machine may be busy; what takes longer than this does not come.
DEADLINE = 60.0


class Broker:
    """A broker with a database of its own."""

    def __init__(self, program: str, **flags: str) -> None:
        self.program = os.path.abspath(program)
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="sluice-py-"))
        # The database server is another user where root runs the tests.
        self.directory.chmod(0o755)
        self.data = self.directory / "data"
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.port = server.getsockname()[1]
        self.url = f"https://127.0.0.1:{self.port}"
        self.file = self.directory / "connection.json"
        self.flags = {
            "listen": self.url, "data-dir": str(self.data), "connection-file": str(self.file),
            "loops": "1", "log-level": "warning", "limits-heartbeat-interval": "3s",
            "limits-backlog-bytes": "64KiB", "limits-revocation-interval": "1s",
            "limits-token-age": "1s", "limits-topics-per-subscribe": "200", **flags,
        }  # fmt: skip

    def start(self) -> None:
        arguments = [f"--{name}={value}" for name, value in self.flags.items()]
        with open(self.directory / "log", "a") as log:
            self.process = subprocess.Popen(
                [self.program, "serve", *arguments], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env={**os.environ, "HOME": str(self.directory)},
            )  # fmt: skip
        end = time.monotonic() + 120
        while not self._is_ready():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError((self.directory / "log").read_text())
            time.sleep(0.05)
        connection = json.loads(self.file.read_text())
        self.token: str = connection["token"]
        self.ca_file: str = connection["ca_file"]

    def _is_ready(self) -> bool:
        with socket.socket() as probe:
            return self.file.exists() and probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        self.process.wait(30)

    def remove(self) -> None:
        if hasattr(self, "process") and self.process.poll() is None:
            self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def make_token(self, *arguments: str) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(
            subprocess.run(
                [self.program, "token", "create", "--data-dir", str(self.data), "--json"]
                + list(arguments), check=True, capture_output=True, text=True,
            ).stdout
        )  # fmt: skip
        return told

    def request(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode() if body is not None else None,
            {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
            method=method,
        )  # fmt: skip
        context = ssl.create_default_context(cafile=self.ca_file)
        with urllib.request.urlopen(request, timeout=DEADLINE, context=context) as response:
            return json.load(response)

    def client(self, url: str | None = None, **options: Any) -> AsyncSluice:
        options = {"token": self.token, "ca_file": self.ca_file, **options}
        return AsyncSluice(url or self.url, **options)


broker: Broker
"""The one that run.py started."""


class Proxy:
    """Stands between a client and the broker, and does what networks do."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: set[asyncio.StreamWriter] = set()
        self._is_stalled: set[asyncio.StreamWriter] = set()
        self._copying: set[asyncio.Task[None]] = set()
        self.connection_count = 0

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        self.url = f"https://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        await asyncio.gather(*self._copying)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connection_count += 1
        try:
            onward = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.close()
            return
        self._writers |= {writer, onward[1]}
        for source, target in ((reader, onward[1]), (onward[0], writer)):
            task = asyncio.create_task(self._copy(source, target))
            self._copying.add(task)
            task.add_done_callback(self._copying.discard)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while part := await reader.read(1 << 16):
                if writer.is_closing():
                    break
                if writer not in self._is_stalled:
                    writer.write(part)
                    await writer.drain()
        except OSError:
            pass
        writer.close()

    def cut(self) -> None:
        """Breaks all connections."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def stall(self) -> None:
        """The connections of now say nothing any more, in either direction, and stay open."""
        self._is_stalled |= self._writers


class Collector:
    """Takes all items of a subscription, and waits for some."""

    def __init__(self, subscription: AsyncSubscription) -> None:
        self.subscription = subscription
        self.items: list[Item] = []
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async for item in self.subscription:
            self.items.append(item)

    def of(self, kind: type) -> list[Any]:
        return [item for item in self.items if type(item) is kind]

    async def until(self, kind: type, count: int = 1) -> list[Any]:
        await until(lambda: len(self.of(kind)) >= count or self.task.done())
        if len(self.of(kind)) < count:
            await self.task
        return self.of(kind)


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0.01)


_numbers = itertools.count(1)


def fresh_topic(end: str = "a") -> str:
    """One that no other test has."""
    return f"py{os.getpid()}-{next(_numbers)}.{end}"


async def publish_numbers(client: AsyncSluice, topic: str, first: int, last: int) -> None:
    await client.publish_all(OutgoingEvent(topic, number) for number in range(first, last + 1))


def told(items: Iterable[Item], first: int = 1) -> dict[str, int]:
    """How many offsets events and gaps tell of, by topic: each once and in order."""
    following: dict[str, int] = {}
    for item in items:
        if isinstance(item, (Event, Gap)):
            begin = item.offset if isinstance(item, Event) else item.first
            end = item.offset if isinstance(item, Event) else item.last
            expected = following.get(item.topic, first)
            assert begin == expected, f"{item.topic}: {begin}, not {expected}"
            following[item.topic] = end + 1
    return {topic: number - first for topic, number in following.items()}
