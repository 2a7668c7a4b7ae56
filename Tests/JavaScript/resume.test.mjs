import assert from 'node:assert/strict';
import test from 'node:test';
import {
  Broker, Collector, Proxy, Sluice, assertContiguous, freshPrefix, publishNumbers, until,
} from './support.mjs';

const broker = Broker.shared();

test('a subscription goes on exactly', async (t) => {
  const direct = broker.client();
  const proxy = await Proxy.before(broker);
  const behind = new Sluice(proxy.url, { token: broker.token });
  t.after(async () => {
    direct.close();
    behind.close();
    await proxy.close();
  });

  await t.test('when its connection was cut', async () => {
    const topic = `${freshPrefix()}.a`;
    const all = new Collector(behind.subscribe(topic));
    await all.ofType('live');
    for (let round = 0; round < 5; round++) {
      await publishNumbers(direct, topic, round * 10 + 1, round * 10 + 10);
      await all.until('some', ({ events }) => events.length > round * 10);
      proxy.cut();
      await all.ofType('subscribed', round + 2);
    }
    await all.ofType('event', 50);
    assert.deepEqual(assertContiguous(all.items), { [topic]: 50 });
    assert.deepEqual(all.of('subscribed').map(({ resumed }) => resumed),
      [false, true, true, true, true, true]);
    const [lost] = all.of('disconnected');
    assert.match(lost.reason, /^closed: 1006/);
    assert.ok(lost.retry_in_ms >= 125);
    all.subscription.close();
  });

  await t.test('when its connection died without a word', async () => {
    const topic = `${freshPrefix()}.a`;
    const all = new Collector(behind.subscribe(topic));
    await all.ofType('live');
    await publishNumbers(direct, topic, 1, 10);
    await all.ofType('event', 10);
    proxy.stall();
    await publishNumbers(direct, topic, 11, 20);
    await all.ofType('event', 20);
    assert.equal(all.of('disconnected')[0].reason, 'the broker is silent');
    assert.deepEqual(assertContiguous(all.items), { [topic]: 20 });
    all.subscription.close();
  });

  await t.test('in topics that began while it was away, and by a filter', async () => {
    const prefix = freshPrefix();
    const all = new Collector(behind.subscribe(`${prefix}.>`, { filter: '$ > 5' }));
    await all.ofType('live');
    await publishNumbers(direct, `${prefix}.a`, 1, 6);
    await all.ofType('event', 1);
    proxy.cut();
    await publishNumbers(direct, `${prefix}.a`, 4, 7);
    await publishNumbers(direct, `${prefix}.b`, 5, 8);
    await all.ofType('event', 6);
    assert.deepEqual(all.events.map(({ topic, data }) => `${topic.slice(-1)}${data}`).sort(),
      ['a6', 'a6', 'a7', 'b6', 'b7', 'b8']);
    all.subscription.close();
  });

  await t.test('through many cuts, whatever the paces of those who share it', async () => {
    const seed = Number(process.env.SLUICE_JS_SEED ?? Date.now() % 1e6);
    t.diagnostic(`SLUICE_JS_SEED=${seed}`);
    let state = seed;
    const random = (below) => {
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
      return Math.floor(state / 2 ** 31 * below);
    };
    const prefix = freshPrefix();
    const items = [8, 50, 1000].map((credit, index) => {
      const taken = [];
      (async () => {
        for await (const item of behind.subscribe(`${prefix}.*`, { credit })) {
          taken.push(item);
          // The first is the slowest.
          if (index < 2 && random(2 + index * 20) === 0) await new Promise(setImmediate);
        }
      })();
      return taken;
    });
    await until('all are live', () =>
      items.every((taken) => taken.some(({ type }) => type === 'live')));
    const counts = {};
    for (let round = 0; round < 60; round++) {
      const topic = `${prefix}.t${random(5)}`;
      const count = 1 + random(40);
      counts[topic] = (counts[topic] ?? 0) + count;
      await publishNumbers(direct, topic, 1, count);
      if (random(6) === 0) proxy.cut();
    }
    const total = Object.values(counts).reduce((sum, count) => sum + count);
    await until('all events', () => items.every((taken) =>
      taken.filter(({ type }) => type === 'event').length >= total));
    for (const taken of items) {
      const told = assertContiguous(taken);
      for (const topic in counts) assert.equal(told[topic], counts[topic], topic);
      assert.ok(taken.every(({ type }) => type !== 'gap'));
    }
  });

  await t.test('also with what its program has not taken yet', async () => {
    const topic = `${freshPrefix()}.a`;
    const subscription = behind.subscribe(topic, { from: 'earliest', credit: 10 });
    await publishNumbers(direct, topic, 1, 30);
    const items = [];
    for await (const item of subscription) {
      items.push(item);
      if (item.offset === 3) {
        const before = proxy.connectionCount;
        proxy.cut();
        await until('a new connection', () => proxy.connectionCount > before);
      }
      if (item.offset === 30) break;
    }
    assert.deepEqual(assertContiguous(items), { [topic]: 30 });
  });
});

test('a position is kept by the program, or in a storage', async (t) => {
  const client = broker.client();
  t.after(() => client.close());
  const memory = (values = new Map()) => ({
    getItem: (key) => values.get(key) ?? null, setItem: (key, text) => values.set(key, text),
  });

  await t.test('and goes on with the cursors of 500 topics', async () => {
    const prefix = freshPrefix();
    const topics = Array.from({ length: 500 }, (_, index) => `${prefix}.t${index}`);
    await client.publishAll(topics.map((topic) => ({ topic, data: 1 })));
    const first = new Collector(client.subscribe(`${prefix}.*`, { from: 'earliest' }));
    await first.ofType('event', 500);
    first.subscription.close();
    const position = JSON.parse(JSON.stringify(first.subscription.position));
    assert.equal(Object.keys(position.cursors).length, 500);
    await client.publishAll([...topics, `${prefix}.new`].map((topic) => ({ topic, data: 2 })));
    const other = broker.client();
    const next = new Collector(other.subscribe(`${prefix}.*`, { position }));
    await next.ofType('event', 501);
    await next.ofType('live');
    assert.ok(next.events.every(({ data }) => data === 2));
    assert.equal(new Set(next.events.map(({ topic }) => topic)).size, 501);
    other.close();
  });

  await t.test('and has only what was done with, should the program break off', async () => {
    const topic = `${freshPrefix()}.a`;
    await publishNumbers(client, topic, 1, 10);
    const persist = { storage: memory(), key: 'here' };
    const error = await new Promise((resolve) => {
      client.subscribe(topic, {
        from: 'earliest', persist, onError: resolve,
        onEvent: ({ offset }) => { if (offset === 4) throw new Error('broken off'); },
      });
    });
    assert.equal(error.message, 'broken off');
    const again = new Collector(client.subscribe(topic, { persist }));
    await again.ofType('event', 7);
    assert.equal(again.events[0].offset, 4);
    const text = () => JSON.parse(persist.storage.getItem('here')).cursors[topic];
    await until('it is kept', () => text().endsWith('-10'));
    again.subscription.close();
  });
});

test('a broker that was killed, and one that drains', async (t) => {
  const own = await Broker.another();
  const client = own.client();
  t.after(async () => {
    client.close();
    await own.remove();
  });
  for (const signal of ['SIGKILL', 'SIGTERM']) {
    await t.test(`is found again with everything (${signal})`, async () => {
      const prefix = freshPrefix();
      const all = new Collector(client.subscribe(`${prefix}.>`));
      await all.ofType('live');
      for (let number = 1; number <= 20; number++) await client.publish(`${prefix}.a`, number);
      await own.stop(signal);
      await all.ofType('disconnected');
      // Publishes wait for it; the answer of none is lost.
      const waiting = Array.from({ length: 10 }, (_, index) =>
        client.publish(`${prefix}.${index % 2 ? 'a' : 'b'}`, index, { timeoutMs: 120_000 }));
      await own.begin();
      await Promise.all(waiting);
      await all.ofType('event', 30);
      assert.deepEqual(assertContiguous(all.items), { [`${prefix}.a`]: 25, [`${prefix}.b`]: 5 });
      if (signal === 'SIGTERM') assert.match(all.of('disconnected')[0].reason, /4001 drain|1006/);
      all.subscription.close();
    });
  }
});
