import assert from 'node:assert/strict';
import test from 'node:test';
import { rawData } from '../../Clients/JavaScript/sluice.js';
import {
  Broker, Collector, Proxy, RawJSON, assertContiguous, freshPrefix, publishNumbers, until,
} from './support.mjs';

const broker = Broker.shared();

test('a subscription', async (t) => {
  const client = broker.client();
  t.after(() => client.close());

  await t.test('gets events in order, and its exact data', async () => {
    const topic = `${freshPrefix()}.a`;
    const big = '{"n": 12345678901234567890.10 ,"s":",\\"data\\":1}"}';
    const all = new Collector(client.subscribe(topic));
    await all.ofType('live');
    for (let number = 1; number <= 20; number++) await client.publish(topic, number);
    await client.publish(topic, new RawJSON(big), {
      key: 'k', eventId: 'e1', attributes: { data: '}"', b: ',"data":' },
    });
    await all.ofType('event', 21);
    assert.deepEqual(all.events.slice(0, 20).map(({ data }) => data),
      Array.from({ length: 20 }, (_, index) => index + 1));
    assert.deepEqual(assertContiguous(all.items), { [topic]: 21 });
    const last = all.events[20];
    assert.equal(rawData(last), big);
    assert.deepEqual([last.key, last.event_id, last.attributes],
      ['k', 'e1', { data: '}"', b: ',"data":' }]);
    assert.equal(rawData(all.events[0]), '1');
    assert.equal(all.items[0].type, 'subscribed');
    all.subscription.close();
    await all.done;
  });

  await t.test('gets what its filter lets through, also another one', async () => {
    const topic = `${freshPrefix()}.a`;
    const subscription = client.subscribe(topic, { from: 'earliest', filter: '$ > 7' });
    const all = new Collector(subscription);
    await publishNumbers(client, topic, 1, 10);
    await all.ofType('event', 3);
    await subscription.update({ filter: '$ == 12' });
    await publishNumbers(client, topic, 11, 13);
    await all.ofType('event', 4);
    await subscription.update({ filter: null });
    await publishNumbers(client, topic, 14, 14);
    await all.ofType('event', 5);
    assert.deepEqual(all.events.map(({ data }) => data), [8, 9, 10, 12, 14]);
    await assert.rejects(subscription.update({ filter: '$.a =' }), { code: 'invalid_filter' });
    subscription.close();
  });

  await t.test('is told what is wrong with it', async () => {
    const all = new Collector(client.subscribe(freshPrefix(), { filter: '$.a = 1' }));
    await all.done;
    assert.equal(all.error.code, 'invalid_filter');
    assert.equal(all.error.at.byte, 4);
    assert.match(all.error.message, /Write '=='/);
  });

  await t.test('is told of a gap where its rate leaves events out', async () => {
    const topic = `${freshPrefix()}.a`;
    const all = new Collector(client.subscribe(topic, { maxRate: 1 }));
    await all.ofType('live');
    // A topic that just came into being may be read from the log, where no rate holds.
    await client.publish(topic, 1, { key: 'k' });
    await all.ofType('event');
    await publishNumbers(client, topic, 2, 50, { key: 'k' });
    await all.until('the newest', ({ events }) => events.at(-1)?.offset === 50);
    assert.deepEqual(assertContiguous(all.items), { [topic]: 50 });
    assert.ok(all.of('gap').every(({ reason }) => reason === 'conflated'));
    assert.ok(all.of('gap').length > 0);
    all.subscription.close();
  });

  await t.test('is told of a gap where the oldest were dropped', async () => {
    const topic = `${freshPrefix()}.a`;
    const subscription = client.subscribe(topic, { overflow: 'drop_oldest', credit: 4 });
    const items = [];
    for (;;) {
      const { value } = await subscription.next();
      if (value.type === 'live') break;
    }
    const data = 'x'.repeat(8000);
    const other = broker.client();
    t.after(() => other.close());
    const witness = new Collector(other.subscribe(topic));
    await witness.ofType('live');
    await client.publishAll(Array.from({ length: 60 }, () => ({ topic, data })));
    // Then the broker has had all of them to hold, too.
    await witness.ofType('event', 60);
    while (items.at(-1)?.offset !== 60) items.push((await subscription.next()).value);
    assert.deepEqual(assertContiguous(items), { [topic]: 60 });
    assert.ok(items.some(({ type, reason }) => type === 'gap' && reason === 'overflow'));
    subscription.close();
  });

  await t.test('is told of a reset when its topic is deleted and made again', async () => {
    const topic = `${freshPrefix()}.a`;
    await client.publish(topic, 1);
    const all = new Collector(client.subscribe(topic, { from: 'earliest' }));
    await all.ofType('event');
    await broker.topic('DELETE', topic);
    await all.ofType('reset');
    assert.deepEqual(all.subscription.position.cursors, {});
    await client.publish(topic, 2);
    await all.ofType('event', 2);
    assert.deepEqual(all.of('reset').map(({ reason }) => reason), ['deleted', 'recreated']);
    assert.equal(all.events[1].offset, 1);
    all.subscription.close();
  });

  await t.test('loses nothing when its program is slow, and is never far ahead of it', async () => {
    const topic = `${freshPrefix()}.a`;
    let arrived = 0;
    const counting = broker.client({
      WebSocket: class extends WebSocket {
        set onmessage(handle) {
          super.onmessage = handle && ((message) => {
            if (message.data.startsWith('{"type":"event"')) arrived++;
            handle(message);
          });
        }
      },
    });
    const items = [];
    let ahead = 0;
    await publishNumbers(client, topic, 1, 300);
    for await (const item of counting.subscribe(topic, { from: 'earliest', credit: 4 })) {
      items.push(item);
      if (item.type !== 'event') continue;
      ahead = Math.max(ahead, arrived - item.offset);
      if (item.offset === 300) break;
      if (item.offset % 50 === 0) await client.publish(`${topic}.other`, 1);
    }
    assert.deepEqual(assertContiguous(items), { [topic]: 300 });
    assert.ok(ahead <= 4, `${ahead}`);
    counting.close();
  });

  await t.test('calls back, and waits for what a callback promises', async () => {
    const topic = `${freshPrefix()}.a`;
    await publishNumbers(client, topic, 1, 5);
    const calls = [];
    let isBusy = false;
    const subscription = client.subscribe(topic, {
      from: 'earliest',
      onSubscribed: ({ resumed }) => calls.push(`subscribed ${resumed}`),
      onLive: () => calls.push('live'),
      onReset: ({ reason }) => calls.push(reason),
      onEvent: async ({ data }) => {
        assert.ok(!isBusy);
        isBusy = true;
        await new Promise((resolve) => setImmediate(resolve));
        isBusy = false;
        calls.push(data);
      },
    });
    await until('all events', () => calls.includes(5) && calls.includes('live'));
    await broker.topic('DELETE', topic);
    await until('reset', () => calls.includes('deleted'));
    assert.deepEqual(calls, ['subscribed false', 1, 2, 3, 4, 5, 'live', 'deleted']);
    subscription.close();
  });

  await t.test('ends with its client, and another one is not begun', async () => {
    const closed = broker.client();
    const subscription = closed.subscribe(freshPrefix());
    const all = new Collector(subscription);
    await all.ofType('live');
    closed.close();
    await all.done;
    assert.equal(all.error, null);
    assert.throws(() => closed.subscribe('a'), { code: 'closed' });
    await assert.rejects(closed.publish('a', 1), { code: 'closed' });
    await assert.rejects(subscription.update({ maxRate: 1 }), { code: 'closed' });
    assert.throws(() => client.subscribe('a', { credit: 0 }), { code: 'invalid_request' });
  });

  await t.test('ends with the error of a callback', async () => {
    const topic = freshPrefix();
    await client.publish(topic, 1);
    const error = await new Promise((resolve) => {
      client.subscribe(topic, {
        from: 'earliest', onError: resolve, onEvent: () => { throw new Error('mine'); },
      });
    });
    assert.equal(error.message, 'mine');
  });
});

test('several subscriptions', async (t) => {
  const proxy = await Proxy.before(broker);
  const client = broker.client();
  t.after(() => proxy.close());
  t.after(() => client.close());
  const behindProxy = () => {
    const made = new client.constructor(proxy.url, { token: broker.token });
    t.after(() => made.close());
    return made;
  };

  await t.test('share one connection, with the publishes', async () => {
    const prefix = freshPrefix();
    const mine = behindProxy();
    const before = proxy.connectionCount;
    const one = new Collector(mine.subscribe([`${prefix}.a.>`, `${prefix}.b`]));
    const two = new Collector(mine.subscribe(`${prefix}.c.*`));
    await Promise.all([one.ofType('live'), two.ofType('live')]);
    for (const name of ['a.x', 'b', 'c.x', 'a.y.z', 'd', 'c.x']) {
      await mine.publish(`${prefix}.${name}`, name);
    }
    await Promise.all([one.ofType('event', 3), two.ofType('event', 2)]);
    assert.deepEqual(one.events.map(({ data }) => data), ['a.x', 'b', 'a.y.z']);
    assert.deepEqual(two.events.map(({ data }) => data), ['c.x', 'c.x']);
    assert.equal(proxy.connectionCount - before, 1);
    // What is given up makes room for what overlaps.
    one.subscription.close();
    const again = new Collector(mine.subscribe(`${prefix}.a.x`));
    await again.ofType('live');
    assert.equal(proxy.connectionCount - before, 1);
    mine.close();
  });

  await t.test('of one topic at one position are one for the broker', async () => {
    const topic = `${freshPrefix()}.a`;
    const mine = behindProxy();
    const before = proxy.connectionCount;
    const one = new Collector(mine.subscribe(topic));
    await one.ofType('live');
    await mine.publish(topic, 1);
    await one.ofType('event', 1);
    const two = new Collector(mine.subscribe(topic));
    await two.ofType('live');
    await mine.publish(topic, 2);
    await Promise.all([one.ofType('event', 2), two.ofType('event', 1)]);
    assert.equal(two.events[0].offset, 2);
    assert.deepEqual(two.subscription.position.cursors, one.subscription.position.cursors);
    assert.equal(proxy.connectionCount - before, 1);
    one.subscription.close();
    await mine.publish(topic, 3);
    await two.ofType('event', 2);
    mine.close();
  });

  await t.test('of one topic at two positions have a connection each', async () => {
    const topic = `${freshPrefix()}.a`;
    const mine = behindProxy();
    const before = proxy.connectionCount;
    await publishNumbers(client, topic, 1, 5);
    const one = new Collector(mine.subscribe(topic, { from: 'earliest' }));
    await one.ofType('event', 5);
    const two = new Collector(mine.subscribe(topic, { from: 'last:2' }));
    await two.ofType('event', 2);
    assert.equal(proxy.connectionCount - before, 2);
    two.subscription.close();
    await until('the second one is closed', () => proxy.openCount === 1);
    mine.close();
  });

  await t.test('do not wait for one that sleeps, which misses nothing', async () => {
    const topic = `${freshPrefix()}.a`;
    const mine = behindProxy();
    const before = proxy.connectionCount;
    const awake = new Collector(mine.subscribe(topic, { credit: 8 }));
    await awake.ofType('live');
    const asleep = mine.subscribe(topic, { credit: 8 });
    const items = [(await asleep.next()).value];
    await publishNumbers(client, topic, 1, 40);
    await awake.ofType('event', 40);
    await publishNumbers(client, topic, 41, 50);
    await awake.ofType('event', 50);
    assert.equal(proxy.connectionCount - before, 1);
    while (items.at(-1).offset !== 50) items.push((await asleep.next()).value);
    assert.deepEqual(assertContiguous(items), { [topic]: 50 });
    assert.deepEqual(assertContiguous(awake.items), { [topic]: 50 });
    // It stayed behind, and went on there by itself.
    assert.equal(proxy.connectionCount - before, 2);
    mine.close();
  });
});
