"""sluice.py through lost connections, killed brokers, ended tokens and ended processes."""

import asyncio
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import unittest
from typing import Any

import sluice
import support
from client_test import WithABroker
from sluice import Disconnected, Event, Live, SluiceError, Subscribed
from support import Broker, Proxy, fresh_topic, publish_numbers, told


class AConnectionThatIsLost(WithABroker):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.proxy = await self.enterAsyncContext(Proxy(support.broker.port))
        self.behind = await self.enterAsyncContext(support.broker.client(self.proxy.url))

    async def test_comes_back_with_everything(self) -> None:
        topic = fresh_topic()
        all = self.follow(topic, self.behind)
        await all.until(Live)
        for round in range(5):
            await publish_numbers(self.client, topic, round * 10 + 1, round * 10 + 10)
            self.proxy.cut()
            await all.until(Subscribed, round + 2)
        await all.until(Event, 50)
        self.assertEqual(told(all.items), {topic: 50})
        self.assertEqual([each.resumed for each in all.of(Subscribed)], [False] + [True] * 5)
        lost = all.of(Disconnected)[0]
        self.assertIn("1006", lost.reason)
        self.assertGreaterEqual(lost.retry_in, 0.125)

    async def test_without_a_word_is_noticed(self) -> None:
        topic = fresh_topic()
        all = self.follow(topic, self.behind)
        await all.until(Live)
        self.proxy.stall()
        await publish_numbers(self.client, topic, 1, 10)
        await all.until(Event, 10)
        self.assertEqual(all.of(Disconnected)[0].reason, "the broker is silent")
        self.assertEqual(told(all.items), {topic: 10})

    async def test_appends_no_publish_twice(self) -> None:
        topic = fresh_topic()
        tasks = []
        for number in range(200):
            tasks.append(asyncio.create_task(self.behind.publish(topic, number)))
            if number % 50 == 25:
                await asyncio.sleep(0.05)
                self.proxy.cut()
        results = await asyncio.gather(*tasks)
        self.assertEqual(sorted(each.offset for each in results), list(range(1, 201)))
        self.assertEqual((await self.client.publish(topic, "last")).offset, 201)

    async def test_brings_topics_that_began_meanwhile(self) -> None:
        prefix = fresh_topic("")
        all = self.follow(f"{prefix}>", self.behind, filter="$ > 5")
        await all.until(Live)
        await publish_numbers(self.client, f"{prefix}a", 1, 6)
        await all.until(Event)
        self.proxy.cut()
        await publish_numbers(self.client, f"{prefix}a", 4, 7)
        await publish_numbers(self.client, f"{prefix}b", 5, 8)
        await all.until(Event, 6)
        events = sorted((event.topic[-1], event.data) for event in all.of(Event))
        self.assertEqual(events, [("a", 6), ("a", 6), ("a", 7), ("b", 6), ("b", 7), ("b", 8)])

    async def test_again_and_again_loses_and_repeats_nothing(self) -> None:
        seed = random.randrange(1_000_000)
        chance = random.Random(seed)
        prefix = fresh_topic("")
        collectors = [self.follow(f"{prefix}*", self.behind, credit=credit) for credit in (8, 1000)]
        for each in collectors:
            await each.until(Live)
        counts: dict[str, int] = {}
        for _ in range(40):
            topic = f"{prefix}t{chance.randrange(5)}"
            count = chance.randint(1, 40)
            counts[topic] = counts.get(topic, 0) + count
            await publish_numbers(self.client, topic, 1, count)
            if chance.random() < 0.2:
                self.proxy.cut()
        for each in collectors:
            await each.until(Event, sum(counts.values()))
            self.assertEqual(told(each.items), counts, f"seed {seed}")


class ABrokerThatEnds(unittest.IsolatedAsyncioTestCase):
    async def test_is_found_again_with_everything(self) -> None:
        broker = Broker(support.broker.program)
        self.addCleanup(broker.remove)
        await asyncio.to_thread(broker.start)
        async with broker.client() as client:
            for how in (signal.SIGKILL, signal.SIGTERM):
                prefix = fresh_topic("")
                all = support.Collector(client.subscribe(f"{prefix}>"))
                await all.until(Live)
                for number in range(20):
                    await client.publish(f"{prefix}a", number)
                await asyncio.to_thread(broker.stop, how)
                await all.until(Disconnected)
                # Publishes wait for it; the answer of none is lost.
                waiting = [
                    asyncio.create_task(client.publish(f"{prefix}{end}", number, timeout=120))
                    for number, end in enumerate("ab" * 5)
                ]
                await asyncio.to_thread(broker.start)
                await asyncio.gather(*waiting)
                await all.until(Event, 30)
                self.assertEqual(told(all.items), {f"{prefix}a": 25, f"{prefix}b": 5})
                await all.subscription.aclose()


class AToken(WithABroker):
    async def test_that_ends_is_asked_for_anew(self) -> None:
        asked: list[str | None] = []

        async def token(refused: str | None) -> str:
            asked.append(refused)
            if len(asked) > 1:
                return support.broker.token
            made = await asyncio.to_thread(support.broker.make_token, "--ttl", "3s")
            return str(made["token"])

        topic = fresh_topic()
        async with support.broker.client(token=token) as client:
            all = self.follow(topic, client)
            await all.until(Live)
            await publish_numbers(self.client, topic, 1, 5)
            await all.until(Subscribed, 2)
            await publish_numbers(self.client, topic, 6, 10)
            await all.until(Event, 10)
            self.assertEqual(told(all.items), {topic: 10})
            self.assertIn("4200", all.of(Disconnected)[0].reason)
            self.assertIsNone(asked[0])
            self.assertTrue(str(asked[1]).startswith("slc_"))

    async def test_that_is_none_ends_the_client(self) -> None:
        async with support.broker.client(token="slc_none") as client:
            subscription = client.subscribe("a")
            with self.assertRaises(SluiceError) as refused:
                while True:
                    await anext(subscription)
            self.assertEqual(refused.exception.code, "unauthorized")
            self.assertTrue(refused.exception.remedy)
            error = await self.refused(client.publish("a", 1))
            self.assertEqual(error.code, "unauthorized")
        async with support.broker.client(token="slc_none") as client:
            error = await self.refused(client.publish_all([sluice.OutgoingEvent("a", 1)]))
            self.assertEqual(error.code, "unauthorized")

    async def test_that_can_not_be_got_now_is_asked_for_later(self) -> None:
        tries: list[str | None] = []

        def token(refused: str | None) -> str:
            tries.append(refused)
            if len(tries) < 3:
                raise OSError("no network")
            return support.broker.token

        async with support.broker.client(token=token) as client:
            all = self.follow(fresh_topic(), client)
            await all.until(Live)
            self.assertIn("no network", all.of(Disconnected)[0].reason)
            self.assertEqual(len(tries), 3)


# Takes some events, and is ended in the middle: by an exception, or at once.
PROGRAM = """
import json, os, sys
from sluice import Event, Sluice
url, token, ca_file, topic, file, last, how = sys.argv[1:]
with Sluice(url, token=token, ca_file=ca_file) as client:
    for item in client.subscribe(topic, from_="earliest", persist=file, credit=20):
        if isinstance(item, Event):
            print(item.offset, flush=True)
            if item.offset >= int(last):
                if how == "killed":
                    os._exit(9)
                sys.exit(0)
"""


class AProcess(WithABroker):
    async def run_until(self, topic: str, file: str, last: int, how: str) -> list[int]:
        broker = support.broker
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROGRAM, broker.url, broker.token, broker.ca_file, topic, file,
            str(last), how, stdout=subprocess.PIPE,
            env={"PYTHONPATH": str(pathlib.Path(sluice.__file__).parent)},
        )  # fmt: skip
        output, _ = await asyncio.wait_for(process.communicate(), support.DEADLINE)
        return [int(line) for line in output.split()]

    async def test_goes_on_where_the_one_before_it_ended(self) -> None:
        topic = fresh_topic()
        await publish_numbers(self.client, topic, 1, 100)
        with tempfile.TemporaryDirectory() as directory:
            file = f"{directory}/position.json"
            first = await self.run_until(topic, file, 30, "ended")
            self.assertEqual(first, list(range(1, 31)))
            # What was in hand when it broke off, it was not done with.
            second = await self.run_until(topic, file, 60, "ended")
            self.assertEqual(second, list(range(30, 61)))
            # At most a second is forgotten, and nothing missing.
            third = await self.run_until(topic, file, 80, "killed")
            self.assertEqual(third, list(range(60, 81)))
            fourth = await self.run_until(topic, file, 100, "ended")
            self.assertEqual(fourth, list(range(fourth[0], 101)))
            self.assertLessEqual(fourth[0], 80)

    async def test_takes_a_position_along(self) -> None:
        prefix = fresh_topic("")
        topics = [f"{prefix}t{number}" for number in range(300)]
        await self.client.publish_all(sluice.OutgoingEvent(topic, 1) for topic in topics)
        all = self.follow(f"{prefix}*", from_="earliest")
        await all.until(Event, 300)
        await all.subscription.aclose()
        # More cursors than one message holds.
        position: Any = all.subscription.position
        self.assertEqual(len(position["cursors"]), 300)
        await self.client.publish_all(
            sluice.OutgoingEvent(topic, 2) for topic in [*topics, f"{prefix}new"]
        )
        again = self.follow(f"{prefix}*", position=position)
        await again.until(Event, 301)
        await again.until(Live)
        events = again.of(Event)
        self.assertEqual((len(events), {event.data for event in events}), (301, {2}))

