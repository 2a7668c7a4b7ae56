"""A client of the Sluice broker: one file on `websockets` (13 or newer), for Python 3.11 and newer.

`AsyncSluice` is for asyncio, `Sluice` for everything else; both do the same:

    with Sluice("https://127.0.0.1:8443", token="slc_…", ca_file="ca.pem") as client:
        client.publish("orders.eu", {"id": 7})
        for item in client.subscribe("orders.>", from_="last:10"):
            match item:
                case Event():
                    print(item.topic, item.offset, item.data)
                case Gap():
                    print(f"{item.topic}: {item.first} to {item.last} will not come")
"""

from __future__ import annotations

import asyncio
import collections
import inspect
import itertools
import json
import os
import random
import re
import ssl as tls
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, TypedDict, TypeVar, Unpack

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

__all__ = [
    "AsyncSluice", "AsyncSubscription", "Disconnected", "Event", "Gap", "Item", "Lagging", "Live",
    "OutgoingEvent", "Progress", "Published", "RawJSON", "Reset", "SavedPosition", "Sluice",
    "SluiceError", "Subscribed", "SubscribeOptions", "Subscription",
]  # fmt: skip
__version__ = "0.1.0"

# Seconds, but for the counts.
SESSIONS_MAX = 8
PUBLISHES_IN_FLIGHT_MAX = 500  # The broker takes 1,000.
WAIT_FIRST = 0.25
WAIT_LONGEST = 30.0
SOUND_AFTER = 5.0
ANSWER_TIMEOUT = 20.0
SAVE_INTERVAL = 1.0

Result = TypeVar("Result")
Token = str | Callable[[str | None], str | Awaitable[str]]


class SluiceError(Exception):
    """Why something did not happen, and what to do about it.

    `code` is of the broker's catalogue (`GET /v1/errors`), or `unreachable` or `closed`.
    `retry_after` is in seconds, and None if trying again can't help. `at` tells where the input
    goes wrong, as `{"byte": 17}` or `{"field": "key"}`.
    """

    def __init__(
        self, code: str, message: str, remedy: str = "", *,
        retry_after: float | None = None, at: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(f"{message} {remedy}".strip())
        self.code = code
        self.message = message
        self.remedy = remedy
        self.retry_after = retry_after
        self.at = at

    @classmethod
    def of(cls, told: dict[str, Any]) -> SluiceError:
        """From a message `error` or a problem document."""
        code = told.get("code", "failed")
        after = told.get("retry_after_ms")
        return cls(
            code, told.get("message") or told.get("detail") or code, told.get("remedy", ""),
            retry_after=None if after is None else after / 1000, at=told.get("at"),
        )  # fmt: skip


class RawJSON:
    """A JSON text to publish byte for byte; ValueError for what is none."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        json.loads(text)
        self.text = text


class SavedPosition(TypedDict):
    """Where a subscription stands in all its topics; JSON, to be kept."""

    start: str | None
    """Where topics begin that were never seen."""
    cursors: dict[str, str]
    """The last cursor of each topic."""


# An event up to its data, which is the last member; attributes hold strings only.
_BEFORE_DATA = re.compile(
    r'\{("\w+":("([^"\\]|\\.)*"|\w+|\{("([^"\\]|\\.)*"|[^"{}])*\}),)*"data":', re.ASCII
)


@dataclass(slots=True)
class Event:
    """An event; `offset` is 1, 2, 3 … dense in its topic."""

    topic: str
    offset: int
    cursor: str
    time: datetime
    data: Any
    key: str | None = None
    event_id: str | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    message: str = field(default="", repr=False, compare=False)
    """As it came."""

    @property
    def raw_data(self) -> str:
        """The exact JSON text of the data, where a float would lose digits."""
        head = _BEFORE_DATA.match(self.message)
        if head is None:
            return json.dumps(self.data)
        return self.message[head.end() : self.message.rindex("}")]


@dataclass(slots=True)
class Gap:
    """The offsets from `first` to `last` will not come.

    `reason` is `retention`, `purged`, `ephemeral`, `overflow`, `conflated` or a later one.
    """

    topic: str
    first: int
    last: int
    cursor: str
    reason: str


@dataclass(slots=True)
class Reset:
    """The topic's offsets began anew (`recreated`, `restored`), or, with `deleted`, it is gone."""

    topic: str
    cursor: str | None
    reason: str


@dataclass(slots=True)
class Subscribed:
    """The subscription stands, for the first time or again.

    `topics` has the exact names only: `cursor`, `earliest` and `latest` of each.
    """

    resumed: bool
    topics: dict[str, dict[str, Any]]


@dataclass(slots=True)
class Live:
    """All that was in the log is delivered; what comes is new."""


@dataclass(slots=True)
class Lagging:
    """The program is `behind` so many events, and is fed from the log until it is `Live`."""

    behind: int


@dataclass(slots=True)
class Progress:
    """How far it is, behind events that the filter left out."""

    cursors: dict[str, str]


@dataclass(slots=True)
class Disconnected:
    """The connection was lost, or could not be made; it is tried again in `retry_in` seconds."""

    reason: str
    retry_in: float


Item = Event | Gap | Reset | Subscribed | Live | Lagging | Progress | Disconnected


@dataclass(slots=True)
class Published:
    """Where an event was appended: it is committed.

    `repeated`: an earlier publish with the same id or key appended it.
    """

    topic: str
    offset: int
    cursor: str
    time: datetime
    repeated: bool

    @classmethod
    def of(cls, told: dict[str, Any]) -> Published:
        return cls(
            told["topic"], told["offset"], told["cursor"], datetime.fromisoformat(told["time"]),
            told["repeated"],
        )  # fmt: skip


@dataclass(slots=True)
class OutgoingEvent:
    """What is published; `data` is a JSON value, or `RawJSON` that stays as it is.

    `key` groups events, for conflation. Of events with the same `event_id` one is appended.
    `attributes` are at most 16, and 1 KiB in all. With `if_head` it is appended only if the topic's
    head is at this cursor; else `head_moved`.
    """

    topic: str
    data: Any
    key: str | None = None
    event_id: str | None = None
    attributes: dict[str, str] | None = None
    if_head: str | None = None

    def members(self) -> str:
        """Its members in JSON, up to the closing brace."""
        names = ("topic", "key", "event_id", "attributes", "if_head")
        head = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        try:
            data = self.data.text if isinstance(self.data, RawJSON) else _json(self.data)
            text = f'{_json(head)[1:-1]},"data":{data}}}'
            text.encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise SluiceError("invalid_json", f"The data is no JSON value: {error}.") from error
        return text


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class SubscribeOptions(TypedDict, total=False):
    """What `subscribe` takes beside the names and patterns."""

    from_: str
    """`latest` (unless told), `earliest`, `last:10`, `ago:15m`, `time:2026-01-01T00:00:00Z`, and
    for one name `offset:17` or `after:CURSOR`."""
    filter: str | None
    """Which events come, like `$.price > 100`; what it leaves out is no gap."""
    overflow: Literal["replay", "conflate", "drop_oldest", "disconnect"] | None
    """What the broker does when the program is too slow for what waits; else each topic's own."""
    max_rate: float | None
    """Events a second of each topic, of which the newest of each key are kept."""
    credit: int | None
    """Events that may come ahead of what the program took, 1,000 unless told. None: all, and then a
    slow program's memory is not bounded."""
    position: SavedPosition | None
    """Where an earlier subscription stood; wins over `from_`."""
    cursors: dict[str, str]
    """Cursors by topic, which win over all else."""
    persist: str | os.PathLike[str] | None
    """A file that keeps the position, and from which to go on. It is written at most once a second,
    behind what the program is done with: after a crash, a few events come again and none is
    missing. One subscription at a time may have the file."""


class _Unchanged:
    """Stands for what an update leaves as it is."""


_UNCHANGED = _Unchanged()


class Position:
    """Where a subscriber stands in all its topics."""

    def __init__(self, start: str | None = None, cursors: dict[str, str] | None = None) -> None:
        self.start = start
        self.cursors = dict(cursors or {})

    def received(self, item: Item) -> None:
        match item:
            case Event() | Gap() | Reset():
                if item.cursor is None:
                    self.cursors.pop(item.topic, None)
                else:
                    self.cursors[item.topic] = item.cursor
            case Subscribed():
                for topic, ends in item.topics.items():
                    if ends.get("cursor"):
                        self.cursors[topic] = ends["cursor"]
            case Progress():
                for topic, cursor in item.cursors.items():
                    if not is_behind(cursor, self.cursors.get(topic, "")):
                        self.cursors[topic] = cursor

    def parts(self, count_max: int, bytes_max: int) -> list[dict[str, str]]:
        """The cursors in objects that each fit a message."""
        parts: list[dict[str, str]] = []
        used = bytes_max + 1
        for topic, cursor in self.cursors.items():
            more = len(topic) + len(cursor) + 6  # Quotes, a colon and a comma.
            if used + more > bytes_max or len(parts[-1]) >= count_max:
                parts.append({})
                used = 0
            parts[-1][topic] = cursor
            used += more
        return parts

    def saved(self) -> SavedPosition:
        return {"start": self.start, "cursors": dict(self.cursors)}


def is_behind(cursor: str, known: str) -> bool:
    """Whether a cursor is before another one of the same epoch."""
    epoch, _, offset = cursor.rpartition("-")
    known_epoch, _, known_offset = known.rpartition("-")
    return epoch == known_epoch and int(offset) < int(known_offset)


_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def start_of_unseen(from_: str, began: str) -> str:
    """Where topics begin that were never seen, if no mark was said."""
    ago = re.fullmatch(r"ago:(\d+)(ms|s|m|h|d)", from_)
    if not ago and not from_.startswith(("latest", "last:")):
        return from_
    margin = max(60.0, int(ago[1]) * _UNITS[ago[2]] if ago else 0)
    moment = datetime.fromisoformat(began) - timedelta(seconds=margin)
    return f"time:{moment.isoformat().replace('+00:00', 'Z')}"


class Patterns:
    """Which topics some names and patterns mean."""

    def __init__(self, texts: Iterable[str]) -> None:
        texts = list(texts)
        self.exact = {text for text in texts if "*" not in text and ">" not in text}
        self.wild = [text.split(".") for text in texts if text not in self.exact]

    def covers(self, topic: str) -> bool:
        segments = topic.split(".")
        return topic in self.exact or any(_meet(pattern, segments) for pattern in self.wild)

    def overlaps(self, other: Patterns) -> bool:
        """Judged by the patterns, not by today's topics."""
        return (
            any(other.covers(topic) for topic in self.exact)
            or any(self.covers(topic) for topic in other.exact)
            or any(_meet(one, two) for one in self.wild for two in other.wild)
        )


def _meet(one: list[str], two: list[str]) -> bool:
    """Whether some topic is matched by both; `>` is one segment or more."""
    for a, b in itertools.zip_longest(one, two):
        if a is None or b is None:
            return False
        if ">" in (a, b):
            return True
        if a != b and "*" not in (a, b):
            return False
    return True


class Backoff:
    """How long to wait before the next try: at random, so that clients do not come all at once."""

    def __init__(self) -> None:
        self._ceiling = WAIT_FIRST

    def wait(self, lasted: float, asked: float, chance: float) -> float:
        if lasted >= SOUND_AFTER:
            self._ceiling = WAIT_FIRST
        wait = asked + self._ceiling * (0.5 + chance / 2)
        self._ceiling = min(self._ceiling * 2, WAIT_LONGEST)
        return wait


def disposition(code: int) -> Literal["reconnect", "credentials", "stop"]:
    """What a close code asks for; unknown codes follow their range."""
    if 4000 <= code < 4200 or code in (1001, 1005, 1006, 1011, 1012, 1013):
        return "reconnect"
    return "credentials" if 4200 <= code < 4500 else "stop"


def _item(message: dict[str, Any], text: str) -> Item | None:
    """A message as a program gets it; None for those that are not for it."""
    match message["type"]:
        case "event":
            return Event(
                message["topic"], message["offset"], message["cursor"],
                datetime.fromisoformat(message["time"]), message["data"], message.get("key"),
                message.get("event_id"), message.get("attributes") or {}, text,
            )  # fmt: skip
        case "gap":
            return Gap(
                message["topic"], message["from"], message["to"], message["cursor"],
                message["reason"],
            )  # fmt: skip
        case "reset":
            return Reset(message["topic"], message["cursor"], message["reason"])
        case "live":
            return Live()
        case "lagging":
            return Lagging(message["behind"])
    return None


class _Session:
    """One WebSocket that comes back."""

    def __init__(self, client: AsyncSluice) -> None:
        self.subscriptions: dict[int, AsyncSubscription] = {}
        """By the id of the subscribe that said them last."""
        self.welcome: dict[str, Any] | None = None
        """The broker's, while the session is open."""
        self._client = client
        self._outgoing: asyncio.Queue[str] = asyncio.Queue()
        self._routes: dict[str, AsyncSubscription] = {}
        self._refused: str | None = None
        """The token that the broker did not take, or no longer."""
        self._asked = 0.0
        self._opened_at = 0.0
        self._told: dict[str, Any] = {}
        """The last error that was no answer."""
        self.task = asyncio.create_task(self._run())

    def add(self, subscription: AsyncSubscription) -> None:
        subscription.session = self
        self.assign(subscription)
        if self.welcome:
            subscription.say(self.welcome)

    def assign(self, subscription: AsyncSubscription) -> None:
        """Each subscribe has an id of its own, so that late answers mean nobody."""
        self.subscriptions.pop(subscription.id, None)
        subscription.id = self._client.next_id()
        self.subscriptions[subscription.id] = subscription
        self._routes.clear()

    def remove(self, subscription: AsyncSubscription) -> None:
        self.subscriptions.pop(subscription.id, None)
        self._routes.clear()
        if subscription.is_said:
            self.send({"type": "unsubscribe", "id": subscription.id})

    def send(self, message: dict[str, Any] | str) -> None:
        if self.welcome:
            self._outgoing.put_nowait(message if isinstance(message, str) else _json(message))

    async def _run(self) -> None:
        backoff = Backoff()
        try:
            while True:
                self._asked = 0.0
                reason = await self._connection()
                lasted = time.monotonic() - self._opened_at if self.welcome else 0.0
                self.welcome = None
                wait = backoff.wait(lasted, self._asked, random.random())
                self._client.lost(self)
                for subscription in list(self.subscriptions.values()):
                    subscription.lost(reason, wait)
                await asyncio.sleep(wait)
        except SluiceError as error:
            self._client.fail(error)
        except Exception as error:
            self._client.fail(SluiceError("internal", f"{type(error).__name__}: {error}"))
            raise

    async def _connection(self) -> str:
        """From the connect to the end of a connection; tells why it ended.

        Raises SluiceError when trying again can't help.
        """
        try:
            token = await self._client.ask(self._refused)
        except SluiceError:
            raise
        except Exception as error:
            return f"no token: {error}"
        if token is not None and token == self._refused:
            raise SluiceError(
                "unauthorized", "The broker did not take the token.",
                "Give another one, or a callback that gets one.",
            )  # fmt: skip
        try:
            socket = await self._client.open()
        except InvalidStatus as error:
            return _refused_upgrade(error)
        except tls.SSLCertVerificationError as error:
            raise _unverified(error) from error
        except (OSError, WebSocketException, TimeoutError) as error:
            return f"no connection: {error or type(error).__name__}"
        self._outgoing = asyncio.Queue()
        if token is not None:
            self._outgoing.put_nowait(_json({"type": "auth", "token": token}))
        writer = asyncio.create_task(self._write(socket, self._outgoing))
        try:
            return await self._read(socket)
        except ConnectionClosed as closed:
            return self._closed(closed, token)
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            await socket.close()

    @staticmethod
    async def _write(socket: ClientConnection, outgoing: asyncio.Queue[str]) -> None:
        while True:
            await socket.send(await outgoing.get())

    async def _read(self, socket: ClientConnection) -> str:
        patience = ANSWER_TIMEOUT
        while True:
            try:
                async with asyncio.timeout(patience):
                    text = await socket.recv()
            except TimeoutError:
                return "the broker is silent" if self.welcome else "no answer"
            if isinstance(text, str):
                self._received(json.loads(text), text)
            if self.welcome:
                patience = self.welcome["heartbeat_ms"] / 500

    def _closed(self, closed: ConnectionClosed, token: str | None) -> str:
        code, reason = (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")
        shown = f"closed: {code} {reason}".strip()
        what = disposition(code)
        if what == "stop" or (what == "credentials" and token is None):
            remedy = "The broker's log says more." if what == "stop" else "Give a token."
            if self._told.get("code") == reason:
                raise SluiceError.of(self._told)
            raise SluiceError(reason or "failed", f"The broker {shown}.", remedy)
        # 4203: the token came too late, and may be fine.
        if what == "credentials" and code != 4203:
            self._refused = token
        return shown

    def _received(self, message: dict[str, Any], text: str) -> None:
        match message["type"]:
            case "event" | "gap" | "reset":
                subscription = self._route(message["topic"])
                if subscription:
                    subscription.received(message, text)
            case "welcome":
                self.welcome = message
                self._refused = None
                self._opened_at = time.monotonic()
                for subscription in list(self.subscriptions.values()):
                    subscription.say(message)
                self._client.pump()
            case "published":
                self._client.published(message)
            case "error" if message.get("to") == "publish":
                self._client.published(message)
            case "closing":
                self._asked = (message.get("reconnect_after_ms") or 0) / 1000
            case "cursor":
                for subscription in list(self.subscriptions.values()):
                    subscription.progressed(message["cursors"])
            case kind:
                named = self.subscriptions.get(message.get("id", 0))
                if kind == "error" and named is None:
                    self._told = message
                elif kind == "error" and named:
                    named.refused(message)
                elif named:
                    named.received(message, text)

    def _route(self, topic: str) -> AsyncSubscription | None:
        found = self._routes.get(topic)
        if found is None:
            covering = (each for each in self.subscriptions.values() if each.patterns.covers(topic))
            found = next(covering, None)
            if found:
                self._routes[topic] = found
        return found


def _refused_upgrade(error: InvalidStatus) -> str:
    """Why an upgrade was refused, if it may succeed later; else raises SluiceError."""
    response = error.response
    if response.status_code >= 500 or response.status_code in (408, 425, 429):
        return f"no connection: HTTP {response.status_code}"
    try:
        told = json.loads(response.body or b"")
        raise SluiceError.of(told) from error
    except (ValueError, AttributeError):
        raise SluiceError(
            "unreachable", f"The upgrade was answered HTTP {response.status_code}.",
            "Check the address, and that nothing between refuses WebSockets.",
        ) from error  # fmt: skip


def _unverified(error: tls.SSLCertVerificationError) -> SluiceError:
    return SluiceError(
        "unreachable", f"The broker's certificate is not trusted: {error.verify_message}.",
        "Give the broker's authority as ca_file; 'sluice serve' tells where it is.",
    )  # fmt: skip


@dataclass(slots=True)
class _Update:
    """An update without an answer, and what it changed."""

    before: dict[str, Any]
    answer: asyncio.Future[None]
    is_sent: bool


class AsyncSubscription(AsyncIterator[Item]):
    """Events and notices of some topics, across lost connections, without loss or repeats.

    Iterate over it in one task; a cancelled wait loses nothing. Iterating raises SluiceError when
    trying again can't help.
    """

    def __init__(
        self, client: AsyncSluice, patterns: list[str], options: SubscribeOptions
    ) -> None:
        unknown = options.keys() - SubscribeOptions.__annotations__.keys()
        if unknown:
            raise TypeError(f"subscribe has no {', '.join(sorted(unknown))}")
        self.id = 0
        self.session: _Session | None = None
        self.patterns = Patterns(patterns)
        self.is_said = False
        self._client = client
        self._request: dict[str, Any] = {
            "topics": patterns, "from": options.get("from_", "latest"),
            "filter": options.get("filter"), "overflow": options.get("overflow"),
            "max_rate": options.get("max_rate"),
        }  # fmt: skip
        self._window = options.get("credit", 1000)
        if self._window is not None and self._window < 1:
            raise SluiceError("invalid_request", "Credit is at least 1.")
        self._is_paced = self._window is not None
        # What may come, as far as the program has made room for it, and what the broker knows of.
        self._room = self._window or 0
        self._credit = 0
        self._taken = 0
        self._queue: collections.deque[Item] = collections.deque()
        self._changed = asyncio.Event()
        self._hand: Item | None = None
        self._file = options.get("persist")
        saved = options.get("position") or self._kept() or {"start": None, "cursors": {}}
        cursors = {**saved["cursors"], **options.get("cursors", {})}
        # Behind all that came, and behind all that the program is done with.
        self._came = Position(saved.get("start"), cursors)
        self._done = Position(saved.get("start"), cursors)
        self._save_timer: asyncio.TimerHandle | None = None
        self._say_timer: asyncio.TimerHandle | None = None
        self._backoff = Backoff()
        self._began: str | None = None
        self._was_answered = self._stands = self._is_over = False
        self._error: SluiceError | None = None
        self._updates: collections.deque[_Update] = collections.deque()

    @property
    def position(self) -> SavedPosition:
        """Where to go on, one day and elsewhere: behind all that was given out."""
        position = Position(**self._done.saved())
        if self._hand:
            position.received(self._hand)
        return position.saved()

    async def update(
        self, *, max_rate: float | None | _Unchanged = _UNCHANGED,
        filter: str | None | _Unchanged = _UNCHANGED,
    ) -> None:  # fmt: skip
        """Changes rate or filter, None takes it away; the position stays."""
        self._check()
        named = {"max_rate": max_rate, "filter": filter}
        changes = {name: value for name, value in named.items() if value is not _UNCHANGED}
        before = {name: self._request[name] for name in changes}
        self._request.update(changes)
        update = _Update(before, asyncio.get_running_loop().create_future(), self.is_said)
        self._updates.append(update)
        if self.is_said and self.session:
            self.session.send({"type": "update", "id": self.id, **changes})
        await update.answer

    async def aclose(self) -> None:
        """Ends it, and what iterates over it."""
        if not self._is_over:
            self._queue.clear()
            self.end(None)

    async def __aenter__(self) -> AsyncSubscription:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __aiter__(self) -> AsyncSubscription:
        return self

    async def __anext__(self) -> Item:
        self._settle()
        while not self._queue:
            if self._error:
                raise self._error
            if self._is_over:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        item = self._hand = self._queue.popleft()
        if type(item) is Event and self._window:
            self._taken += 1
            if self._taken >= self._window / 2:
                self._room += self._taken
                self._taken = 0
                self._grant()
        return item

    # What the client and its session say.

    def say(self, welcome: dict[str, Any]) -> None:
        session = self.session
        if session is None:
            return
        self._stop(self._say_timer)
        session.assign(self)
        limits = welcome["limits"]
        self._began = self._began or welcome["time"]
        self._credit = self._room
        said = {"from": self._came.start or self._request["from"], "id": self.id}
        subscribe = {**self._request, **said, "type": "subscribe"}
        subscribe = {name: value for name, value in subscribe.items() if value is not None}
        if self._is_paced:
            subscribe["credit"] = self._credit
        count_max = max(1, limits["topics_per_subscribe"] - len(self._request["topics"]))
        parts = self._came.parts(count_max, limits["message_bytes"] - 100)
        if len(parts) == 1:
            whole = {**subscribe, "cursors": parts[0]}
            if len(_json(whole).encode()) <= limits["message_bytes"]:
                subscribe, parts = whole, []
        for cursors in parts:
            session.send({"type": "cursors", "id": self.id, "cursors": cursors})
        session.send(subscribe)
        self.is_said = True

    def received(self, message: dict[str, Any], text: str) -> None:
        match message["type"]:
            case "subscribed":
                self._subscribed(message)
            case "unsubscribed":
                self.end(SluiceError.of({"code": "unsubscribed", **message}))
            case "updated":
                self._updated(None)
            case _ if self._stands:
                # No events come before `subscribed`: these are of one that was given up.
                item = _item(message, text)
                if item:
                    self._deliver(item)

    def progressed(self, cursors: dict[str, str]) -> None:
        ours = {topic: each for topic, each in cursors.items() if self.patterns.covers(topic)}
        if ours and self._stands:
            self._deliver(Progress(ours))

    def refused(self, error: dict[str, Any]) -> None:
        to, at = error.get("to"), error.get("at") or {}
        if to == "update":
            self._updated(SluiceError.of(error))
        elif to == "subscribe" and at.get("field") == "credit" and self._is_paced:
            self._is_paced = False
            self._say_again()
        elif to in ("subscribe", "cursors"):
            self.is_said = False
            refusal = SluiceError.of(error)
            if refusal.retry_after is None:
                self.end(refusal)
            else:
                wait = self._backoff.wait(0, refusal.retry_after, random.random())
                self._stop(self._say_timer)
                self._say_timer = asyncio.get_running_loop().call_later(wait, self._say_again)

    def lost(self, reason: str, wait: float) -> None:
        self._stop(self._say_timer)
        self.is_said = self._stands = False
        for update in self._updates:
            update.is_sent = False
        item = Disconnected(reason, wait)
        if self._queue and type(self._queue[-1]) is Disconnected:
            self._queue[-1] = item
        else:
            self._deliver(item)

    def end(self, error: SluiceError | None) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._error = error
        self._stop(self._say_timer)
        self._client.leave(self)
        while self._updates:
            self._updated(SluiceError("closed", "The subscription ended."))
        self._save()
        self._changed.set()

    # Helpers.

    def _check(self) -> None:
        if self._is_over:
            raise self._error or SluiceError("closed", "The subscription was closed.")

    def _say_again(self) -> None:
        if self.session and self.session.welcome:
            self.say(self.session.welcome)

    def _subscribed(self, message: dict[str, Any]) -> None:
        self._stands = True
        start = message.get("resume_from") or self._came.start
        start = start or start_of_unseen(self._request["from"], self._began or "")
        self._came.start = self._done.start = start
        self._backoff = Backoff()
        item = Subscribed(self._was_answered, message["topics"])
        self._was_answered = True
        # The subscribe said what was updated before it; what was said after it has its own answer.
        while self._updates and not self._updates[0].is_sent:
            self._updated(None)
        self._deliver(item)

    def _updated(self, error: SluiceError | None) -> None:
        if not self._updates:
            return
        update = self._updates.popleft()
        if error:
            self._request.update(update.before)
        if update.answer.done():
            return
        if error:
            update.answer.set_exception(error)
        else:
            update.answer.set_result(None)

    def _deliver(self, item: Item) -> None:
        if self._is_over:
            return
        self._came.received(item)
        if type(item) is Event and self._window:
            self._room -= 1
            self._credit -= 1
        self._queue.append(item)
        self._changed.set()

    def _grant(self) -> None:
        events = self._room - self._credit
        if self.is_said and self._is_paced and events > 0 and self.session:
            self._credit += events
            self.session.send({"type": "credit", "id": self.id, "events": events})

    def _settle(self) -> None:
        if self._hand is None:
            return
        self._done.received(self._hand)
        self._hand = None
        if self._file and self._save_timer is None:
            loop = asyncio.get_running_loop()
            self._save_timer = loop.call_later(SAVE_INTERVAL, self._save)

    def _kept(self) -> SavedPosition | None:
        if not self._file:
            return None
        try:
            with open(self._file, encoding="utf-8") as file:
                kept: SavedPosition = json.load(file)
                return kept
        except FileNotFoundError:
            return None

    def _save(self) -> None:
        self._stop(self._save_timer)
        self._save_timer = None
        if self._file:
            # Never half a file: a crash leaves the old one or the new one.
            new = f"{os.fspath(self._file)}.new"
            with open(new, "w", encoding="utf-8") as file:
                json.dump(self._done.saved(), file)
            os.replace(new, self._file)

    @staticmethod
    def _stop(timer: asyncio.TimerHandle | None) -> None:
        if timer:
            timer.cancel()


class _Publish:
    """A publish without an answer."""

    def __init__(self, text: str, answer: asyncio.Future[Published]) -> None:
        self.text = text
        self.answer = answer
        self.backoff = Backoff()
        self.reason = ""
        self.was_sent = False


class AsyncSluice:
    """A client of one broker: connects when it is needed, and comes back by itself.

    Belongs to one event loop. Use it as `async with`, or call `aclose` at the end.
    """

    def __init__(
        self, url: str, *, token: Token | None = None,
        ca_file: str | os.PathLike[str] | None = None, ssl: tls.SSLContext | None = None,
    ) -> None:  # fmt: skip
        """`url` is like `https://127.0.0.1:8443`.

        `token` is a token, `slc_…`, or what gets one, also asynchronously: called before each
        connection, with the token that the broker refused or that ended, if one did. What it raises
        is tried again later; a SluiceError ends the client, as does a token that was refused
        already. Without one the broker must have `auth = none`. `ca_file` is the authority of the
        broker's certificate, if the system does not know it; `ssl` is instead of it.
        """
        parts = urllib.parse.urlsplit(url)
        scheme = {"https": "https", "wss": "https", "http": "http", "ws": "http"}.get(parts.scheme)
        if scheme is None or not parts.netloc:
            raise SluiceError("invalid_request", f"{url!r} is no URL.", "Say https://HOST:PORT.")
        self._url = f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}/"
        self._ssl = None
        if scheme == "https":
            self._ssl = ssl or tls.create_default_context(cafile=ca_file)
        self._token = token
        self._sessions: list[_Session] = []
        self._subscriptions: set[AsyncSubscription] = set()
        self._ids = itertools.count(1)
        self._failure: SluiceError | None = None
        # Publishes by id, in their order; those that are ready to go, and how many are under way.
        self._publishes: dict[int, _Publish] = {}
        self._ready: dict[int, None] = {}
        self._held: set[int] = set()

    async def __aenter__(self) -> AsyncSluice:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def subscribe(
        self, patterns: str | Iterable[str], **options: Unpack[SubscribeOptions]
    ) -> AsyncSubscription:
        """Follows names and patterns (`*` is one segment, a final `>` the rest), from now on."""
        self._check()
        texts = [patterns] if isinstance(patterns, str) else list(patterns)
        subscription = AsyncSubscription(self, texts, options)
        self._subscriptions.add(subscription)
        # In a session, a topic is covered by one subscription only.
        for session in self._sessions:
            others = session.subscriptions.values()
            if not any(each.patterns.overlaps(subscription.patterns) for each in others):
                session.add(subscription)
                return subscription
        if len(self._sessions) < SESSIONS_MAX:
            self._new_session().add(subscription)
        else:
            subscription.end(
                SluiceError("overlap", f"{SESSIONS_MAX} others have these.", "Close one of them.")
            )
        return subscription

    async def publish(
        self, topic: str, data: Any, *, key: str | None = None, event_id: str | None = None,
        attributes: dict[str, str] | None = None, if_head: str | None = None,
        timeout: float = 30.0,
    ) -> Published:  # fmt: skip
        """Publishes one event, once, also over lost connections, and returns when it is committed.

        It is tried for `timeout` seconds; an ephemeral topic has no memory of ids and may get it
        twice. What is published at a time keeps its order in a topic, unless the broker asks to try
        one of them again.

        Raises SluiceError: it was not appended, but for `outcome_unknown`. What was cancelled may
        be appended.
        """
        self._check()
        # The id makes it safe to send it again.
        event_id = event_id or uuid.uuid4().hex
        event = OutgoingEvent(topic, data, key, event_id, attributes, if_head)
        number = self.next_id()
        text = f'{{"type":"publish","id":{number},{event.members()}'
        publish = _Publish(text, asyncio.get_running_loop().create_future())
        self._publishes[number] = publish
        self._ready[number] = None
        if not self._sessions:
            self._new_session()
        self.pump()
        try:
            async with asyncio.timeout(timeout):
                return await publish.answer
        except TimeoutError:
            raise SluiceError(
                "outcome_unknown" if publish.was_sent else "unreachable",
                f"No answer within {timeout} s{': ' if publish.reason else '.'}{publish.reason}",
                "Publish it again with the same event_id.",
            ) from None
        finally:
            self._forget(number)
            self.pump()

    async def publish_all(
        self, events: Iterable[OutgoingEvent], *, idempotency_key: str | None = None,
        timeout: float = 30.0,
    ) -> list[Published]:  # fmt: skip
        """Publishes events of any topics over HTTP, all or none.

        `idempotency_key` is for the whole request; random unless told or all events have ids.

        Raises SluiceError: none was appended, but for `outcome_unknown` and `unreachable`.
        """
        self._check()
        events = list(events)
        has_ids = all(event.event_id is not None for event in events)
        # Line ends can only stand between tokens, where a space means the same.
        lines = ("{" + re.sub(r"[\r\n]", " ", event.members()) for event in events)
        body = "\n".join(lines).encode()
        key = idempotency_key or (None if has_ids else uuid.uuid4().hex)
        until, backoff, refused = time.monotonic() + timeout, Backoff(), None
        while True:
            self._check()
            token = await self.ask(refused)
            patience = max(0.001, until - time.monotonic())
            try:
                answer = await asyncio.to_thread(self._post, token, key, body, patience)
                return [Published.of(result) for result in answer["results"]]
            except SluiceError as error:
                if error.code == "ephemeral_topic" and key and not idempotency_key:
                    key = None  # Nobody asked for the key.
                    continue
                is_new = error.code == "unauthorized" and callable(self._token) and token != refused
                refused = token if is_new else refused
                wait = 0 if is_new else backoff.wait(0, error.retry_after or 0, random.random())
                is_safe = error.retry_after is not None and (key is not None or has_ids)
                if not (is_new or is_safe) or time.monotonic() + wait > until:
                    raise
            await asyncio.sleep(wait)

    async def aclose(self) -> None:
        """Ends all that it does."""
        self._end(SluiceError("closed", "The client was closed."), None)
        tasks = [session.task for session in self._sessions]
        self._sessions.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # What sessions and subscriptions ask.

    def next_id(self) -> int:
        return next(self._ids)

    async def ask(self, refused: str | None) -> str | None:
        """The token."""
        if not callable(self._token):
            return self._token
        token = self._token(refused)
        return await token if inspect.isawaitable(token) else token

    async def open(self) -> ClientConnection:
        """A connection; the broker's heartbeats tell whether it lives."""
        return await connect(
            "ws" + self._url.removeprefix("http") + "v1/connect", ssl=self._ssl,
            subprotocols=[Subprotocol("sluice.v1")], open_timeout=ANSWER_TIMEOUT,
            ping_interval=None, close_timeout=1, max_size=None,
        )  # fmt: skip

    def fail(self, error: SluiceError) -> None:
        """Nothing that the client does can succeed any more."""
        for session in self._sessions:
            if session.task is not asyncio.current_task():
                session.task.cancel()
        self._end(error, error)

    def leave(self, subscription: AsyncSubscription) -> None:
        self._subscriptions.discard(subscription)
        session, subscription.session = subscription.session, None
        if session is None:
            return
        session.remove(subscription)
        # The first one stays for publishes and for what comes.
        if session in self._sessions[1:] and not session.subscriptions:
            self._sessions.remove(session)
            session.task.cancel()

    def lost(self, session: _Session) -> None:
        """What was sent on it is ready again, in its order."""
        if session in self._sessions[:1]:
            self._ready = {number: None for number in self._publishes if number not in self._held}

    def pump(self) -> None:
        """Sends what is ready, if the session is open."""
        session = self._sessions[0] if self._sessions else None
        if session is None or session.welcome is None:
            return
        bytes_max = session.welcome["limits"]["message_bytes"]
        while self._ready:
            sent = len(self._publishes) - len(self._ready) - len(self._held)
            if sent >= PUBLISHES_IN_FLIGHT_MAX:
                return
            number = next(iter(self._ready))
            del self._ready[number]
            publish = self._publishes[number]
            if len(publish.text.encode()) <= bytes_max:
                publish.was_sent = True
                session.send(publish.text)
            elif not publish.answer.done():
                error = SluiceError("message_too_large", f"The message is over {bytes_max} bytes.")
                publish.answer.set_exception(error)

    def published(self, message: dict[str, Any]) -> None:
        number = message.get("id", 0)
        publish = self._publishes.get(number)
        if publish is None or publish.answer.done():
            return
        if message["type"] == "published":
            publish.answer.set_result(Published.of(message))
            return
        error = SluiceError.of(message)
        if error.retry_after is None:
            publish.answer.set_exception(error)
            return
        publish.reason = error.message
        self._held.add(number)
        wait = publish.backoff.wait(0, error.retry_after, random.random())
        asyncio.get_running_loop().call_later(wait, self._release, number)

    # Helpers.

    def _check(self) -> None:
        if self._failure:
            raise self._failure

    def _end(self, failure: SluiceError, reason: SluiceError | None) -> None:
        self._failure = self._failure or failure
        for subscription in list(self._subscriptions):
            subscription.end(reason)
        for publish in self._publishes.values():
            if not publish.answer.done():
                publish.answer.set_exception(failure)

    def _new_session(self) -> _Session:
        session = _Session(self)
        self._sessions.append(session)
        return session

    def _release(self, number: int) -> None:
        if number in self._held:
            self._held.remove(number)
            self._ready = dict.fromkeys(sorted([number, *self._ready]))
            self.pump()

    def _forget(self, number: int) -> None:
        self._publishes.pop(number, None)
        self._ready.pop(number, None)
        self._held.discard(number)

    def _post(
        self, token: str | None, key: str | None, body: bytes, timeout: float
    ) -> dict[str, Any]:
        headers = {"Content-Type": "application/x-ndjson"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if key is not None:
            headers["Idempotency-Key"] = key
        request = urllib.request.Request(self._url + "v1/events", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=timeout, context=self._ssl) as response:
                answer: dict[str, Any] = json.load(response)
                return answer
        except urllib.error.HTTPError as error:
            after = error.headers.get("Retry-After")
            try:
                told = json.load(error)
            except ValueError:
                told = {"code": "failed", "message": f"HTTP {error.code}."}
            told["retry_after_ms"] = None if after is None else int(after) * 1000
            raise SluiceError.of(told) from None
        except (OSError, ValueError) as error:
            cause = getattr(error, "reason", error)
            if isinstance(cause, tls.SSLCertVerificationError):
                raise _unverified(cause) from error
            raise SluiceError("unreachable", f"No answer: {cause}.", retry_after=0) from error


class Subscription(Iterator[Item]):
    """An `AsyncSubscription` for programs without asyncio. Iterate over it in one thread."""

    def __init__(self, client: Sluice, inner: AsyncSubscription) -> None:
        self._client = client
        self._inner = inner

    @property
    def position(self) -> SavedPosition:
        """Where to go on, one day and elsewhere: behind all that was given out."""

        async def ask() -> SavedPosition:
            return self._inner.position

        return self._client.run(ask())

    def __iter__(self) -> Subscription:
        return self

    def __next__(self) -> Item:
        item = self.next()
        if item is None:
            raise StopIteration
        return item

    def next(self, timeout: float | None = None) -> Item | None:
        """The next item, or None at the end; TimeoutError after so many seconds."""

        async def take() -> Item | None:
            async with asyncio.timeout(timeout):
                return await anext(self._inner, None)

        return self._client.run(take())

    def update(
        self, *, max_rate: float | None | _Unchanged = _UNCHANGED,
        filter: str | None | _Unchanged = _UNCHANGED,
    ) -> None:  # fmt: skip
        """Changes rate or filter, None takes it away; the position stays."""
        self._client.run(self._inner.update(max_rate=max_rate, filter=filter))

    def close(self) -> None:
        """Ends it, also for a thread that iterates over it."""
        if self._client.is_open:
            self._client.run(self._inner.aclose())

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Sluice:
    """An `AsyncSluice` for programs without asyncio, which runs in a thread of its own.

    All threads may use it at the same time. Use it as `with`, or call `close` at the end.
    """

    def __init__(
        self, url: str, *, token: Token | None = None,
        ca_file: str | os.PathLike[str] | None = None, ssl: tls.SSLContext | None = None,
    ) -> None:  # fmt: skip
        """As of `AsyncSluice`; a callback for the token is called in the client's thread."""
        self._inner = AsyncSluice(url, token=token, ca_file=ca_file, ssl=ssl)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sluice", daemon=True)
        self._thread.start()

    @property
    def is_open(self) -> bool:
        return not self._loop.is_closed()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """What a coroutine of the client returns."""
        if not self.is_open:
            work.close()
            raise SluiceError("closed", "The client was closed.")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            # Ctrl-C, too: then nobody waits for it any more.
            future.cancel()
            raise

    def subscribe(
        self, patterns: str | Iterable[str], **options: Unpack[SubscribeOptions]
    ) -> Subscription:
        """Follows names and patterns (`*` is one segment, a final `>` the rest), from now on."""

        async def subscribe() -> AsyncSubscription:
            return self._inner.subscribe(patterns, **options)

        return Subscription(self, self.run(subscribe()))

    def publish(
        self, topic: str, data: Any, *, key: str | None = None, event_id: str | None = None,
        attributes: dict[str, str] | None = None, if_head: str | None = None,
        timeout: float = 30.0,
    ) -> Published:  # fmt: skip
        """As `AsyncSluice.publish`."""
        return self.run(
            self._inner.publish(
                topic, data, key=key, event_id=event_id, attributes=attributes, if_head=if_head,
                timeout=timeout,
            )
        )  # fmt: skip

    def publish_all(
        self, events: Iterable[OutgoingEvent], *, idempotency_key: str | None = None,
        timeout: float = 30.0,
    ) -> list[Published]:  # fmt: skip
        """As `AsyncSluice.publish_all`."""
        return self.run(
            self._inner.publish_all(events, idempotency_key=idempotency_key, timeout=timeout)
        )

    def close(self) -> None:
        """Ends all that it does."""
        if not self.is_open:
            return
        self.run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        await self._inner.aclose()
        # What other threads wait for is told them before the loop stops.
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            _, late = await asyncio.wait(others, timeout=1)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def __enter__(self) -> Sluice:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
