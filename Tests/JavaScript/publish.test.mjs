import assert from 'node:assert/strict';
import test from 'node:test';
import {
  Broker, Collector, Proxy, Sluice, assertContiguous, freshPrefix, until,
} from './support.mjs';

const broker = Broker.shared();

test('a publish', async (t) => {
  const proxy = await Proxy.before(broker);
  const client = new Sluice(proxy.url, { token: broker.token });
  t.after(async () => {
    client.close();
    await proxy.close();
  });

  await t.test('answers where the event is, and the same for the same id', async () => {
    const topic = `${freshPrefix()}.a`;
    const first = await client.publish(topic, { a: 1 }, { eventId: 'one' });
    const again = await client.publish(topic, { a: 1 }, { eventId: 'one' });
    assert.deepEqual([first.topic, first.offset, first.repeated], [topic, 1, false]);
    assert.deepEqual(again, { ...first, repeated: true });
    await assert.rejects(client.publish(topic, { a: 2 }, { eventId: 'one' }),
      { code: 'idempotency_conflict' });
    await client.publish(topic, 2, { ifHead: first.cursor });
    await assert.rejects(client.publish(topic, 3, { ifHead: first.cursor }),
      { code: 'head_moved' });
  });

  await t.test('is not appended twice when its answer was lost', async () => {
    const topic = `${freshPrefix()}.a`;
    await client.publish(topic, 0);
    proxy.mute();
    const publishes = [1, 2, 3].map((number) => client.publish(topic, number));
    await until('they are committed', async () => (await broker.topic('GET', topic)).latest === 4);
    proxy.cut();
    const answers = await Promise.all(publishes);
    assert.deepEqual(answers.map(({ offset, repeated }) => [offset, repeated]),
      [[2, true], [3, true], [4, true]]);
    assert.equal((await broker.topic('GET', topic)).latest, 4);
  });

  await t.test('keeps its place among thousands', async () => {
    const topic = `${freshPrefix()}.a`;
    const all = new Collector(client.subscribe(topic, { from: 'earliest' }));
    await Promise.all(Array.from({ length: 2000 }, (_, index) => client.publish(topic, index)));
    await all.ofType('event', 2000);
    assert.deepEqual(assertContiguous(all.items), { [topic]: 2000 });
    assert.ok(all.events.every(({ data, offset }) => data === offset - 1));
    all.subscription.close();
  });

  await t.test('is refused with the broker’s words', async () => {
    await assert.rejects(client.publish('a..b', 1), { code: 'invalid_topic' });
    await assert.rejects(client.publish('a', undefined), { code: 'invalid_json' });
    await assert.rejects(client.publish('a', 'x'.repeat(1 << 20)), { code: 'event_too_large' });
    await assert.rejects(client.publish('a', 'x'.repeat(3 << 20)), { code: 'message_too_large' });
    assert.equal((await client.publish(freshPrefix(), 1)).offset, 1);
  });

  await t.test('gives up when its time is over or it is told to', async () => {
    const away = new Sluice('https://127.0.0.1:9', { token: 'slc_x' });
    await assert.rejects(away.publish('a', 1, { timeoutMs: 300 }), { code: 'unreachable' });
    const stop = new AbortController();
    const aborted = away.publish('a', 1, { signal: stop.signal });
    stop.abort(new Error('enough'));
    await assert.rejects(aborted, { message: 'enough' });
    const closed = away.publish('a', 1);
    away.close();
    await assert.rejects(closed, { code: 'closed' });
  });

  await t.test('of many events is one, and safe to repeat', async () => {
    const prefix = freshPrefix();
    const events = [{ topic: `${prefix}.a`, data: 1, key: 'k' }, { topic: `${prefix}.b`, data: 2 }];
    const results = await client.publishAll(events, { idempotencyKey: prefix });
    assert.deepEqual(results.map(({ topic, offset }) => [topic, offset]),
      [[`${prefix}.a`, 1], [`${prefix}.b`, 1]]);
    const again = await client.publishAll(events, { idempotencyKey: prefix });
    assert.ok(again.every(({ repeated }) => repeated));
    await assert.rejects(client.publishAll([...events, { topic: '..', data: 1 }]),
      { code: 'invalid_topic' });
  });

  await t.test('of many events is tried again when the connection broke', async () => {
    const topic = `${freshPrefix()}.a`;
    let attempts = 0;
    const flaky = new Sluice(proxy.url, {
      token: broker.token,
      fetch: async (...request) => {
        const response = await fetch(...request);
        // The answer to the first one is lost.
        if (++attempts === 1) throw new TypeError('lost');
        return response;
      },
    });
    const [result] = await flaky.publishAll([{ topic, data: 1 }]);
    assert.deepEqual([result.offset, result.repeated, attempts], [1, true, 2]);
    flaky.close();
  });

  await t.test('of many events gives up a broker that does not answer', async () => {
    proxy.cut();
    const events = [{ topic: freshPrefix(), data: 1 }];
    const deaf = new Sluice(proxy.url, {
      token: broker.token,
      fetch: (_, { signal }) => new Promise((_, reject) => {
        signal.throwIfAborted();
        signal.addEventListener('abort', () => reject(signal.reason));
      }),
    });
    await assert.rejects(deaf.publishAll(events, { timeoutMs: 200 }), { code: 'unreachable' });
    const stop = new AbortController();
    const aborted = deaf.publishAll(events, { signal: stop.signal });
    stop.abort(new Error('enough'));
    await assert.rejects(aborted, { message: 'enough' });
    deaf.close();
  });

  await t.test('to an ephemeral topic', async () => {
    const topic = `${freshPrefix()}.a`;
    await broker.topic('PUT', topic, { durable: false });
    const all = new Collector(client.subscribe(topic));
    await all.ofType('live');
    assert.equal((await client.publish(topic, 1)).offset, 1);
    assert.equal((await client.publishAll([{ topic, data: 2 }]))[0].offset, 2);
    await all.ofType('event', 2);
    all.subscription.close();
  });
});
