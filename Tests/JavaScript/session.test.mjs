// What a broker seldom says, said by a socket that the test holds.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Sluice } from '../../Clients/JavaScript/sluice.js';
import { Collector, until } from './support.mjs';

const welcome = {
  type: 'welcome', protocol: 'sluice.v1', session: 's', time: '2026-01-01T00:02:00.000000Z',
  heartbeat_ms: 20_000,
  limits: { message_bytes: 2000, topics_per_subscribe: 3, event_bytes: 1000 },
};

/** A client, and the sockets that it opened. */
function scripted(t, options = {}) {
  const sockets = [];
  class Socket {
    readyState = 1;
    said = [];
    constructor() {
      sockets.push(this);
    }
    send(text) {
      this.said.push(JSON.parse(text));
    }
    close() {
      this.isClosed = true;
    }
    tell(...messages) {
      for (const message of messages) this.onmessage({ data: JSON.stringify(message) });
    }
    ofType(type) {
      return this.said.filter((message) => message.type === type);
    }
    async until(type, count = 1) {
      await until(`${count} × ${type}`, () => this.ofType(type).length >= count);
      return this.ofType(type).at(-1);
    }
  }
  const client = new Sluice('https://broker/below', { WebSocket: Socket, ...options });
  t.after(() => client.close());
  const socket = async (number = 1) => {
    await until(`socket ${number}`, () => sockets[number - 1]?.onmessage);
    return sockets[number - 1];
  };
  return { client, sockets, socket };
}

const subscribed = (id, more = {}) => ({ type: 'subscribed', id, topics: {}, ...more });
const event = (topic, offset) => (
  { type: 'event', topic, offset, cursor: `k-${offset}`, time: '', data: offset });

test('a token is the first message, and nothing is said before the welcome', async (t) => {
  const { client, socket } = scripted(t, { token: 'slc_a' });
  client.subscribe('a');
  const one = await socket();
  one.onopen();
  assert.deepEqual(one.said, [{ type: 'auth', token: 'slc_a' }]);
  one.tell(welcome);
  assert.deepEqual(one.said.slice(1),
    [{ type: 'subscribe', topics: ['a'], from: 'latest', id: one.said[1].id, credit: 1000 }]);
});

test('a subscribe that may be tried again is, under another id', async (t) => {
  const { client, socket } = scripted(t);
  const all = new Collector(client.subscribe('a', { from: 'earliest' }));
  const one = await socket();
  one.tell(welcome);
  const first = await one.until('subscribe');
  one.tell({
    type: 'error', to: 'subscribe', id: first.id, code: 'rate_limited', message: '',
    retry_after_ms: 1,
  });
  const second = await one.until('subscribe', 2);
  assert.notEqual(second.id, first.id);
  assert.equal(second.from, 'earliest');
  one.tell(subscribed(second.id, { resume_from: 'mark:x' }), event('a', 1));
  await all.ofType('event');
  assert.deepEqual(all.subscription.position, { start: 'mark:x', cursors: { a: 'k-1' } });
});

test('a broker that knows no credit is asked without', async (t) => {
  const { client, socket } = scripted(t);
  client.subscribe('a');
  const one = await socket();
  one.tell(welcome);
  const { id } = await one.until('subscribe');
  one.tell({
    type: 'error', to: 'subscribe', id, code: 'invalid_request', message: '',
    at: { field: 'credit' },
  });
  assert.equal('credit' in await one.until('subscribe', 2), false);
});

test('more cursors than a message holds come before the subscribe', async (t) => {
  const { client, socket } = scripted(t);
  const cursors = Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`a.${i}`, 'k-1']));
  client.subscribe('a.*', { position: { start: 'mark:x', cursors } });
  const one = await socket();
  one.tell(welcome);
  const { id, ...rest } = await one.until('subscribe');
  const parts = one.ofType('cursors');
  assert.deepEqual(parts.map((part) => Object.keys(part.cursors).length), [2, 2, 1]);
  assert.ok(parts.every((part) => part.id === id));
  assert.deepEqual(Object.assign({}, ...parts.map((part) => part.cursors)), cursors);
  assert.deepEqual(rest, { type: 'subscribe', topics: ['a.*'], from: 'mark:x', credit: 1000 });
});

test('without a mark, a resumed subscription begins a minute before the first welcome',
  async (t) => {
    const { client, socket } = scripted(t);
    const all = new Collector(client.subscribe('a'));
    const one = await socket();
    one.tell(welcome);
    one.tell(subscribed((await one.until('subscribe')).id));
    await all.ofType('subscribed');
    one.onclose({ code: 1006, reason: '' });
    const two = await socket(2);
    two.tell({ ...welcome, time: '2026-01-01T05:00:00.000000Z' });
    assert.equal((await two.until('subscribe')).from, 'time:2026-01-01T00:01:00.000Z');
  });

test('before its first answer, a subscription begins as it was asked for', async (t) => {
  const { client, socket } = scripted(t);
  client.subscribe('a', { from: 'last:3' });
  const one = await socket();
  one.tell(welcome);
  await one.until('subscribe');
  one.onclose({ code: 1006, reason: '' });
  const two = await socket(2);
  two.tell(welcome);
  assert.equal((await two.until('subscribe')).from, 'last:3');
});

test('what comes of a subscription that was given up is nobody’s', async (t) => {
  const { client, socket } = scripted(t);
  const first = client.subscribe('a');
  const one = await socket();
  one.tell(welcome);
  const { id } = await one.until('subscribe');
  one.tell(subscribed(id));
  first.close();
  assert.deepEqual(one.ofType('unsubscribe'), [{ type: 'unsubscribe', id }]);
  const all = new Collector(client.subscribe('a'));
  const again = await one.until('subscribe', 2);
  one.tell(event('a', 1), { type: 'unsubscribed', id }, subscribed(again.id), event('a', 2));
  await all.ofType('event');
  assert.deepEqual(all.events.map(({ offset }) => offset), [2]);
});

test('a subscription that the broker ends, ends with its words', async (t) => {
  const { client, socket } = scripted(t);
  const all = new Collector(client.subscribe('a'));
  const other = new Collector(client.subscribe('b'));
  const one = await socket();
  one.tell(welcome);
  const [{ id }, { id: second }] = one.ofType('subscribe');
  one.tell(subscribed(id), subscribed(second), {
    type: 'unsubscribed', id, code: 'grant_revoked', message: 'No more.', remedy: 'Ask.',
  }, event('b', 1));
  await all.done;
  const { code, message, remedy } = all.error;
  assert.deepEqual([code, message, remedy], ['grant_revoked', 'No more. Ask.', 'Ask.']);
  await other.ofType('event');
});

test('an update before the first answer is answered by itself', async (t) => {
  const { client, socket } = scripted(t);
  const subscription = client.subscribe('a', { filter: '$ > 1' });
  const early = subscription.update({ filter: '$ > 2' });
  const one = await socket();
  one.tell(welcome);
  const { id, filter } = await one.until('subscribe');
  assert.equal(filter, '$ > 2');
  const late = subscription.update({ filter: '$ >' });
  assert.deepEqual(one.ofType('update'), [{ type: 'update', id, filter: '$ >' }]);
  one.tell(subscribed(id));
  await early;
  one.tell({ type: 'error', to: 'update', id, code: 'invalid_filter', message: 'No.' });
  await assert.rejects(late, { code: 'invalid_filter' });
  one.onclose({ code: 1006, reason: '' });
  const two = await socket(2);
  two.tell(welcome);
  assert.equal((await two.until('subscribe')).filter, '$ > 2');
  const never = subscription.update({ maxRate: 3 });
  subscription.close();
  await assert.rejects(never, { code: 'closed' });
});

test('credit is granted half a window at a time, and a new connection begins with the rest',
  async (t) => {
    const { client, socket } = scripted(t);
    const subscription = client.subscribe('a', { credit: 4 });
    const one = await socket();
    one.tell(welcome);
    const { id } = await one.until('subscribe');
    one.tell(subscribed(id), ...[1, 2, 3, 4].map((offset) => event('a', offset)));
    await subscription.next();
    await subscription.next();
    assert.deepEqual(one.ofType('credit'), []);
    await subscription.next();
    assert.deepEqual(one.ofType('credit'), [{ type: 'credit', id, events: 2 }]);
    one.onclose({ code: 4002, reason: 'no_pong' });
    const two = await socket(2);
    two.tell(welcome);
    const { credit, cursors } = await two.until('subscribe');
    // Two wait to be taken.
    assert.deepEqual([credit, cursors], [2, { a: 'k-4' }]);
  });

test('a publish is sent again in its place, with the same id', async (t) => {
  const { client, socket } = scripted(t);
  const results = [client.publish('a', 1), client.publish('a', 2, { eventId: 'mine' })];
  const one = await socket();
  one.tell(welcome);
  await one.until('publish', 2);
  one.onclose({ code: 4001, reason: 'drain' });
  const two = await socket(2);
  two.tell(welcome);
  await two.until('publish', 2);
  assert.deepEqual(two.ofType('publish'), one.ofType('publish'));
  const [first, second] = two.ofType('publish');
  assert.equal(second.event_id, 'mine');
  two.tell({
    type: 'error', to: 'publish', id: first.id, code: 'rate_limited', message: '',
    retry_after_ms: 1,
  }, { type: 'published', id: second.id, topic: 'a', offset: 1, cursor: 'k-1', repeated: false });
  assert.deepEqual(await results[1], { topic: 'a', offset: 1, cursor: 'k-1', repeated: false });
  const third = await two.until('publish', 3);
  assert.deepEqual(third, first);
  two.tell({ type: 'published', id: first.id, topic: 'a', offset: 2, cursor: 'k-2' });
  assert.equal((await results[0]).offset, 2);
});

test('no more than 500 publishes wait for an answer', async (t) => {
  const { client, socket } = scripted(t);
  const results = Array.from({ length: 502 }, (_, index) => client.publish('a', index));
  const one = await socket();
  one.tell(welcome);
  assert.equal(one.ofType('publish').length, 500);
  one.tell({ type: 'published', id: one.ofType('publish')[0].id, offset: 1 });
  assert.equal(one.ofType('publish').length, 501);
  assert.equal((await results[0]).offset, 1);
  for (const result of results.slice(1)) result.catch(() => {});
});

test('a storage that may not be looked at is not', async (t) => {
  Object.defineProperty(globalThis, 'localStorage', {
    configurable: true, get: () => { throw new Error('SecurityError'); },
  });
  t.after(() => delete globalThis.localStorage);
  const { client, socket } = scripted(t);
  client.subscribe('a');
  const one = await socket();
  one.tell(welcome);
  await one.until('subscribe');
  assert.throws(() => client.subscribe('a', { persist: { key: 'here' } }), /SecurityError/);
});

test('a drain says when to come back', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { client, sockets } = scripted(t);
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  client.subscribe('a');
  await turn();
  sockets[0].tell(welcome,
    { type: 'closing', code: 4001, reason: 'drain', reconnect_after_ms: 3200 });
  sockets[0].onclose({ code: 4001, reason: 'drain' });
  t.mock.timers.tick(3200);
  await turn();
  assert.equal(sockets.length, 1);
  t.mock.timers.tick(250);
  await turn();
  assert.equal(sockets.length, 2);
});

test('a broker that says nothing is asked, and left', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const { client, sockets } = scripted(t);
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  client.subscribe('a');
  await turn();
  t.mock.timers.tick(20_000);
  assert.ok(sockets[0].isClosed, 'no welcome within 20 s');
  t.mock.timers.tick(250);
  await turn();
  sockets[1].tell(welcome);
  t.mock.timers.tick(20_000);
  sockets[1].tell({ type: 'heartbeat', time: '' });
  t.mock.timers.tick(29_999);
  assert.equal(sockets[1].ofType('ping').length, 0);
  t.mock.timers.tick(1);
  assert.equal(sockets[1].ofType('ping').length, 1);
  assert.ok(!sockets[1].isClosed);
  t.mock.timers.tick(10_000);
  assert.ok(sockets[1].isClosed);
});

for (const [code, reason, token] of [
  [4500, 'protocol_misuse', 'slc_a'], [1009, 'too big', 'slc_a'], [4203, 'auth_timeout', undefined],
]) {
  test(`${code} ends the client`, async (t) => {
    const { client, sockets, socket } = scripted(t, { token });
    const all = new Collector(client.subscribe('a'));
    const result = client.publish('a', 1);
    const one = await socket();
    one.onclose({ code, reason });
    await assert.rejects(result, { code: reason });
    await all.done;
    assert.equal(all.error.code, reason);
    await assert.rejects(client.publish('a', 1), { code: reason });
    assert.equal(sockets.length, 1);
  });
}
