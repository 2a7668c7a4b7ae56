"""What sluice.py does with a broker."""

import asyncio
import threading
import unittest
from typing import Any

import support
from sluice import AsyncSluice, Event, Gap, Lagging, Live, OutgoingEvent, Progress, RawJSON, Reset
from sluice import SavedPosition, Sluice, SluiceError, Subscribed
from support import Collector, Proxy, fresh_topic, publish_numbers, told


class WithABroker(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.client = await self.enterAsyncContext(support.broker.client())

    def follow(self, patterns: Any, client: AsyncSluice | None = None, **options: Any) -> Collector:
        return Collector((client or self.client).subscribe(patterns, **options))

    async def refused(self, work: Any) -> SluiceError:
        with self.assertRaises(SluiceError) as refused:
            await work
        return refused.exception


class APublish(WithABroker):
    async def test_is_answered_when_it_is_committed_and_comes_as_it_was(self) -> None:
        topic = fresh_topic()
        data = RawJSON('{ "total":12.500000000000000000001, "text":"ü" }')
        first = await self.client.publish(topic, data, key="k", attributes={"a": "b"})
        self.assertEqual((first.topic, first.offset, first.repeated), (topic, 1, False))
        all = self.follow(topic, from_="earliest")
        [event] = await all.until(Event)
        self.assertEqual((event.key, event.attributes), ("k", {"a": "b"}))
        self.assertEqual(event.raw_data, data.text)
        self.assertEqual(event.data["text"], "ü")
        self.assertEqual((event.cursor, event.time), (first.cursor, first.time))

    async def test_with_an_id_is_appended_once(self) -> None:
        topic = fresh_topic()
        results = [await self.client.publish(topic, 1, event_id="one") for _ in range(3)]
        self.assertEqual([(each.offset, each.repeated) for each in results],
            [(1, False), (1, True), (1, True)])  # fmt: skip

    async def test_keeps_its_order_among_a_thousand(self) -> None:
        topic = fresh_topic()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.client.publish(topic, n)) for n in range(1, 1001)]
        self.assertEqual([task.result().offset for task in tasks], list(range(1, 1001)))

    async def test_on_a_head_that_moved_is_refused_with_a_remedy(self) -> None:
        topic = fresh_topic()
        first = await self.client.publish(topic, 1)
        await self.client.publish(topic, 2, if_head=first.cursor)
        error = await self.refused(self.client.publish(topic, 3, if_head=first.cursor))
        self.assertEqual(error.code, "head_moved")
        self.assertTrue(error.remedy)
        self.assertIsNone(error.retry_after)
        self.assertIn(error.remedy, str(error))

    async def test_that_is_too_large_or_to_no_topic_is_refused(self) -> None:
        error = await self.refused(self.client.publish("a", "x" * (1 << 20)))
        self.assertEqual(error.code, "event_too_large")
        error = await self.refused(self.client.publish("a", "x" * (3 << 20)))
        self.assertEqual(error.code, "message_too_large")
        error = await self.refused(self.client.publish("a b", 1))
        self.assertEqual(error.code, "invalid_topic")

    async def test_that_can_reach_nobody_says_so(self) -> None:
        async with support.broker.client("https://127.0.0.1:1") as nobody:
            error = await self.refused(nobody.publish("a", 1, timeout=0.5))
            self.assertEqual(error.code, "unreachable")
            error = await self.refused(nobody.publish_all([OutgoingEvent("a", 1)], timeout=0.5))
            self.assertEqual(error.code, "unreachable")

    async def test_of_many_topics_is_all_or_nothing(self) -> None:
        one, two = fresh_topic(), fresh_topic()
        results = await self.client.publish_all(
            [OutgoingEvent(one, 1), OutgoingEvent(two, RawJSON("[\n1]")), OutgoingEvent(one, 2)]
        )
        self.assertEqual([(each.topic, each.offset) for each in results],
            [(one, 1), (two, 1), (one, 2)])  # fmt: skip
        error = await self.refused(
            self.client.publish_all([OutgoingEvent(one, 3), OutgoingEvent("a b", 4)])
        )
        self.assertEqual(error.code, "invalid_topic")
        self.assertEqual((await self.client.publish(one, 3)).offset, 3)

    async def test_of_many_with_a_key_is_appended_once(self) -> None:
        topic = fresh_topic()
        events = [OutgoingEvent(topic, number) for number in range(3)]
        first = await self.client.publish_all(events, idempotency_key="all")
        again = await self.client.publish_all(events, idempotency_key="all")
        self.assertEqual([each.offset for each in again], [each.offset for each in first])
        self.assertTrue(all(each.repeated for each in again))

    async def test_of_many_to_an_ephemeral_topic_needs_no_key(self) -> None:
        topic = fresh_topic()
        support.broker.request("PUT", f"/v1/topics/{topic}", {"durable": False})
        events = [OutgoingEvent(topic, number) for number in range(3)]
        self.assertEqual(len(await self.client.publish_all(events)), 3)


class ASubscription(WithABroker):
    async def test_follows_patterns_from_a_start_and_goes_live(self) -> None:
        prefix = fresh_topic("")
        await publish_numbers(self.client, f"{prefix}a", 1, 5)
        await publish_numbers(self.client, f"{prefix}b", 1, 5)
        all = self.follow([f"{prefix}a", f"{prefix}b"], from_="last:2")
        await all.until(Live)
        await publish_numbers(self.client, f"{prefix}a", 6, 7)
        await all.until(Event, 6)
        self.assertEqual(told(all.items, 4), {f"{prefix}a": 4, f"{prefix}b": 2})
        [subscribed] = all.of(Subscribed)
        self.assertFalse(subscribed.resumed)
        self.assertEqual(subscribed.topics[f"{prefix}a"]["latest"], 5)

    async def test_has_a_filter_that_can_be_changed(self) -> None:
        topic = fresh_topic()
        all = self.follow(topic, filter="$ > 2")
        await all.until(Live)
        await publish_numbers(self.client, topic, 1, 4)
        await all.until(Event, 2)
        await all.subscription.update(filter="$ > 5")
        await publish_numbers(self.client, topic, 5, 6)
        await all.until(Event, 3)
        self.assertEqual([event.data for event in all.of(Event)], [3, 4, 6])
        error = await self.refused(all.subscription.update(filter="$ >"))
        self.assertEqual(error.code, "invalid_filter")
        await all.subscription.update(filter=None)
        await self.client.publish(topic, 0)
        await all.until(Event, 4)
        await all.subscription.aclose()
        await all.task
        error = await self.refused(all.subscription.update(filter=None))
        self.assertEqual(error.code, "closed")

    async def test_is_told_how_far_it_is_behind_what_a_filter_leaves_out(self) -> None:
        topic = fresh_topic()
        all = self.follow(topic, filter="$ == 0")
        await all.until(Live)
        await publish_numbers(self.client, topic, 1, 3)
        [progress, *_] = await all.until(Progress)
        self.assertTrue(progress.cursors[topic].endswith("-3"))
        self.assertEqual(all.subscription.position["cursors"], progress.cursors)

    async def test_that_overlaps_another_has_a_connection_of_its_own(self) -> None:
        async with Proxy(support.broker.port) as proxy:
            async with support.broker.client(proxy.url) as client:
                topic = fresh_topic()
                collectors = [self.follow(topic, client) for _ in range(3)]
                collectors.append(self.follow(fresh_topic(), client))
                for each in collectors:
                    await each.until(Live)
                self.assertEqual(proxy.connection_count, 3)
                await client.publish(topic, 1)
                for each in collectors[:3]:
                    await each.until(Event)

    async def test_holds_the_broker_back_by_its_credit(self) -> None:
        topic = fresh_topic()
        await publish_numbers(self.client, topic, 1, 500)
        subscription = self.client.subscribe(topic, from_="earliest", credit=10)
        offsets: list[int] = []
        async for item in subscription:
            if isinstance(item, Event):
                offsets.append(item.offset)
                # What waits is never more than the credit.
                self.assertLessEqual(len(subscription._queue), 10 + 2)
                if item.offset % 50 == 0:
                    await asyncio.sleep(0.02)
            if len(offsets) == 500:
                break
        await subscription.aclose()
        self.assertEqual(offsets, list(range(1, 501)))

    async def test_that_is_slow_lags_and_loses_nothing(self) -> None:
        topic = fresh_topic()
        # A topic that comes into being causes no `lagging` before it is live.
        support.broker.request("PUT", f"/v1/topics/{topic}", {})
        subscription = self.client.subscribe(topic, credit=4)
        items: list[Any] = []
        while not any(isinstance(item, Live) for item in items):
            items.append(await anext(subscription))
        # Far more than the broker keeps for a session.
        for number in range(20):
            await self.client.publish_all(OutgoingEvent(topic, "x" * 2000) for _ in range(20))
        while sum(isinstance(item, Event) for item in items) < 400:
            items.append(await anext(subscription))
        self.assertEqual(told(items), {topic: 400})
        self.assertTrue(any(isinstance(item, Lagging) for item in items))
        await subscription.aclose()

    async def test_of_an_ephemeral_topic_needs_no_credit(self) -> None:
        topic = fresh_topic()
        support.broker.request("PUT", f"/v1/topics/{topic}", {"durable": False})
        all = self.follow(topic)
        await all.until(Live)
        for number in range(30):
            await self.client.publish(topic, number)
        await all.until(Event, 30)

    async def test_is_told_what_retention_took_and_that_a_topic_began_anew(self) -> None:
        topic = fresh_topic()
        results = await self.client.publish_all(OutgoingEvent(topic, n) for n in range(20))
        support.broker.request("DELETE", f"/v1/topics/{topic}/events?before=16")
        position: SavedPosition = {"start": None, "cursors": {topic: results[9].cursor}}
        again = self.follow(topic, position=position)
        await again.until(Event, 5)
        [gap] = again.of(Gap)
        self.assertEqual((gap.first, gap.last, gap.reason), (11, 15, "purged"))
        self.assertEqual(told(again.items, 11), {topic: 10})
        support.broker.request("DELETE", f"/v1/topics/{topic}")
        await again.until(Reset)
        await self.client.publish(topic, "anew")
        await again.until(Event, 6)
        resets = again.of(Reset)
        self.assertEqual([(each.reason, each.cursor is None) for each in resets],
            [("deleted", True), ("recreated", False)])  # fmt: skip
        self.assertEqual(again.of(Event)[-1].offset, 1)

    async def test_that_can_not_be_is_refused_with_code_and_remedy(self) -> None:
        cases: list[tuple[str, Any, str]] = [
            ("a..b", {}, "invalid_pattern"),
            ("a.*", {"from_": "offset:1"}, "invalid_start"),
            ("a", {"filter": "$ >"}, "invalid_filter"),
            ("a", {"overflow": "none"}, "invalid_request"),
        ]
        for patterns, options, code in cases:
            error = await self.refused(anext(self.client.subscribe(patterns, **options)))
            self.assertEqual(error.code, code)
            self.assertTrue(error.remedy)
        with self.assertRaises(TypeError):
            self.client.subscribe("a", start="latest")  # type: ignore[call-arg]

    async def test_ends_with_its_client(self) -> None:
        client = support.broker.client()
        all = self.follow(fresh_topic(), client)
        await all.until(Live)
        await client.aclose()
        await all.task
        error = await self.refused(client.publish("a", 1))
        self.assertEqual(error.code, "closed")

    async def test_loses_nothing_when_a_wait_for_it_is_cancelled(self) -> None:
        topic = fresh_topic()
        subscription = self.client.subscribe(topic, from_="earliest")
        publishing = asyncio.create_task(publish_numbers(self.client, topic, 1, 50))
        items: list[Any] = []
        while not items or getattr(items[-1], "offset", 0) < 50:
            try:
                async with asyncio.timeout(0.001):
                    items.append(await anext(subscription))
            except TimeoutError:
                pass
        await publishing
        self.assertEqual(told(items), {topic: 50})
        await subscription.aclose()


class WithoutAsyncio(unittest.TestCase):
    def setUp(self) -> None:
        broker = support.broker
        self.client = Sluice(broker.url, token=broker.token, ca_file=broker.ca_file)
        self.addCleanup(self.client.close)

    def test_a_program_publishes_and_follows(self) -> None:
        topic = fresh_topic()
        with self.client.subscribe(topic, credit=4) as subscription:
            self.assertIsInstance(subscription.next(timeout=60), Subscribed)
            self.assertIsInstance(subscription.next(timeout=60), Live)
            with self.assertRaises(TimeoutError):
                subscription.next(timeout=0.05)
            for number in range(10):
                self.assertEqual(self.client.publish(topic, number).offset, number + 1)
            taken = []
            for item in subscription:
                if isinstance(item, Event):
                    taken.append(item.data)
                if len(taken) == 10:
                    break
            self.assertEqual(taken, list(range(10)))
            position = subscription.position
            subscription.update(max_rate=10)
        self.assertTrue(position["cursors"][topic].endswith("-10"))
        self.assertEqual(self.client.publish_all([OutgoingEvent(topic, 10)])[0].offset, 11)
        with self.client.subscribe(topic, position=position) as again:
            events = (item for item in again if isinstance(item, Event))
            self.assertEqual(next(events).offset, 11)

    def test_threads_share_a_client(self) -> None:
        topic = fresh_topic()

        def publish() -> None:
            for number in range(20):
                self.client.publish(topic, number)

        threads = [threading.Thread(target=publish) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(self.client.publish(topic, "last").offset, 101)

    def test_a_thread_that_waits_is_told_of_the_end(self) -> None:
        subscription = self.client.subscribe(fresh_topic())
        items: list[Any] = []
        thread = threading.Thread(target=lambda: items.extend(subscription))
        thread.start()
        self.client.publish(fresh_topic(), 1)
        self.client.close()
        thread.join(60)
        self.assertFalse(thread.is_alive())
        with self.assertRaises(SluiceError) as refused:
            self.client.publish("a", 1)
        self.assertEqual(refused.exception.code, "closed")

    def test_a_certificate_that_nobody_knows_is_refused_at_once(self) -> None:
        with Sluice(support.broker.url, token=support.broker.token) as stranger:
            with self.assertRaises(SluiceError) as refused:
                stranger.publish("a", 1)
            self.assertEqual(refused.exception.code, "unreachable")
            self.assertIn("ca_file", refused.exception.remedy)
