"""The parts of sluice.py that need no broker."""

import pathlib
import subprocess
import sys
import unittest
from datetime import UTC, datetime

import sluice
from sluice import Backoff, Event, Gap, OutgoingEvent, Patterns, Position, Progress, RawJSON, Reset
from sluice import SluiceError, Subscribed

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class APosition(unittest.TestCase):
    def test_is_the_last_cursor_of_each_topic(self) -> None:
        position = Position()
        position.received(Subscribed(False, {"a.b": {"cursor": "k-4"}, "a.c": {"cursor": None}}))
        position.received(Event("a.b", 5, "k-5", NOW, None))
        position.received(Gap("a.d", 1, 9, "k-9", "retention"))
        position.received(Progress({"a.b": "k-3", "a.d": "k-12", "a.e": "k-1"}))
        self.assertEqual(position.cursors, {"a.b": "k-5", "a.d": "k-12", "a.e": "k-1"})

    def test_forgets_a_topic_that_was_deleted_and_takes_a_new_epoch(self) -> None:
        position = Position(None, {"a": "k-4", "b": "k-7"})
        position.received(Reset("a", None, "deleted"))
        position.received(Reset("b", "m-0", "recreated"))
        position.received(Progress({"b": "n-1"}))
        self.assertEqual(position.cursors, {"b": "n-1"})

    def test_is_said_in_parts_that_fit_a_message(self) -> None:
        position = Position(None, {f"t{number}": f"k-{number}" for number in range(10, 20)})
        self.assertEqual([len(part) for part in position.parts(4, 10_000)], [4, 4, 2])
        # Each is 13 bytes.
        self.assertEqual([len(part) for part in position.parts(100, 39)], [3, 3, 3, 1])
        together: dict[str, str] = {}
        for part in position.parts(3, 10_000):
            together.update(part)
        self.assertEqual(together, position.cursors)


class TopicsThatWereNeverSeen(unittest.TestCase):
    def test_begin_where_the_first_start_said(self) -> None:
        began = "2026-01-01T12:00:00.500000Z"
        for from_, start in (
            ("earliest", "earliest"),
            ("latest", "time:2026-01-01T11:59:00.500000Z"),
            ("last:10", "time:2026-01-01T11:59:00.500000Z"),
            ("ago:5s", "time:2026-01-01T11:59:00.500000Z"),
            ("ago:2h", "time:2026-01-01T10:00:00.500000Z"),
        ):
            self.assertEqual(sluice.start_of_unseen(from_, began), start)


class SomePatterns(unittest.TestCase):
    def test_cover_topics(self) -> None:
        patterns = Patterns(["a.b", "c.*", "d.>"])
        for topic in ("a.b", "c.x", "d.x", "d.x.y"):
            self.assertTrue(patterns.covers(topic), topic)
        for topic in ("a", "a.b.c", "c", "c.x.y", "d"):
            self.assertFalse(patterns.covers(topic), topic)

    def test_overlap_if_a_topic_can_match_both(self) -> None:
        for one, two, overlap in (
            ("a.*", "*.b", True), ("a.>", "a.b.c", True), ("a.*", "a.b.*", False),
            ("a", "b", False), (">", "x", True), ("*.a", "*.b", False), ("a.>", "a", False),
        ):  # fmt: skip
            self.assertEqual(Patterns([one]).overlaps(Patterns([two])), overlap, (one, two))
            self.assertEqual(Patterns([two]).overlaps(Patterns([one])), overlap, (two, one))


class Waits(unittest.TestCase):
    def test_grow_are_scattered_and_begin_anew_behind_a_sound_connection(self) -> None:
        backoff = Backoff()
        waits = [backoff.wait(0, 0, 1) for _ in range(9)]
        self.assertEqual(waits, [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30])
        self.assertEqual(backoff.wait(5, 0, 0), 0.125)
        self.assertEqual(backoff.wait(0, 3, 1), 3.5)


class CloseCodes(unittest.TestCase):
    def test_follow_their_range(self) -> None:
        for code, what in (
            (1001, "reconnect"), (1006, "reconnect"), (1002, "stop"), (4001, "reconnect"),
            (4199, "reconnect"), (4200, "credentials"), (4499, "credentials"), (4500, "stop"),
        ):  # fmt: skip
            self.assertEqual(sluice.disposition(code), what)


class AnOutgoingEvent(unittest.TestCase):
    def test_keeps_a_raw_text_as_it_is(self) -> None:
        event = OutgoingEvent("a", RawJSON(' {"n": 1.10}'), key="k")
        self.assertEqual(event.members(), '"topic":"a","key":"k","data": {"n": 1.10}}')
        with self.assertRaises(ValueError):
            RawJSON("{")

    def test_is_refused_if_it_is_no_json(self) -> None:
        for data in (object(), float("nan"), "\ud800"):
            with self.assertRaises(SluiceError) as refused:
                OutgoingEvent("a", data).members()
            self.assertEqual(refused.exception.code, "invalid_json")


class AnEvent(unittest.TestCase):
    def test_gives_the_exact_text_of_its_data(self) -> None:
        head = '{"type":"event","topic":"a","offset":1,"cursor":"k-1",'
        head += '"time":"2026-01-01T00:00:00Z",'
        head += '"key":"\\"data\\":","attributes":{"data":"}"},"data":'
        message = head + '{"data": 1.100000000000000000001 }}'
        event = Event("a", 1, "k-1", NOW, {"data": 1.1}, message=message)
        self.assertEqual(event.raw_data, '{"data": 1.100000000000000000001 }')


class TheModule(unittest.TestCase):
    def test_is_typed(self) -> None:
        here = pathlib.Path(__file__).resolve().parent
        files = [sluice.__file__, *(str(path) for path in sorted(here.glob("*.py")))]
        checked = subprocess.run(
            [sys.executable, "-m", "mypy", "--strict", "--cache-dir=/dev/null", *files],
            capture_output=True, text=True, cwd=here,
            env={"MYPYPATH": str(pathlib.Path(sluice.__file__).parent)},
        )  # fmt: skip
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
