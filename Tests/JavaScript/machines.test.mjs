import assert from 'node:assert/strict';
import test from 'node:test';
import {
  Backoff, Patterns, Position, Watch, disposition, startOfUnseen,
} from '../../Clients/JavaScript/sluice.js';

test('a position', async (t) => {
  await t.test('is the last cursor of each topic, and the mark for the others', () => {
    const position = new Position();
    position.received({
      type: 'subscribed', resume_from: 'mark:a',
      topics: { 'a.b': { cursor: 'k-4' }, 'a.c': { cursor: null } },
    });
    position.received({ type: 'event', topic: 'a.b', cursor: 'k-5' });
    position.received({ type: 'gap', topic: 'a.d', cursor: 'k-9' });
    position.received({ type: 'cursor', cursors: { 'a.b': 'k-3', 'a.d': 'k-12', 'a.e': 'k-1' } });
    assert.deepEqual(JSON.parse(JSON.stringify(position)), {
      start: 'mark:a', cursors: { 'a.b': 'k-5', 'a.d': 'k-12', 'a.e': 'k-1' },
    });
  });

  await t.test('forgets a topic that was deleted, and takes a new epoch', () => {
    const position = new Position({ cursors: { a: 'k-4', b: 'k-7' } });
    position.received({ type: 'reset', topic: 'a', cursor: null, reason: 'deleted' });
    position.received({ type: 'reset', topic: 'b', cursor: 'm-0', reason: 'recreated' });
    position.received({ type: 'cursor', cursors: { b: 'n-1' } });
    assert.deepEqual(position.toJSON(), { start: undefined, cursors: { b: 'n-1' } });
  });

  await t.test('keeps the mark if a later answer has none', () => {
    const position = new Position({ start: 'mark:a' });
    position.received({ type: 'subscribed', topics: {} });
    assert.equal(position.start, 'mark:a');
  });

  await t.test('comes in parts that fit a message, by number and by bytes', () => {
    const cursors = JSON.parse('{"a":"k-1","b":"k-1","c":"k-1","__proto__":"k-1"}');
    const position = new Position({ cursors });
    assert.deepEqual(position.parts(3, 1000).map((part) => Object.keys(part)),
      [['a', 'b', 'c'], ['__proto__']]);
    assert.deepEqual(position.parts(9, 20).map((part) => Object.keys(part)),
      [['a', 'b'], ['c'], ['__proto__']]);
    assert.equal(new Position({ cursors }).parts(9, 1000).length, 1);
    assert.deepEqual(new Position().parts(9, 1000), []);
  });
});

test('without a mark, unseen topics begin a minute before the first start', () => {
  const began = '2026-01-01T00:01:30.123456Z';
  const at = (from) => startOfUnseen(from, began);
  assert.equal(at('latest'), 'time:2026-01-01T00:00:30.123Z');
  assert.equal(at('last:10'), 'time:2026-01-01T00:00:30.123Z');
  assert.equal(at('ago:30s'), 'time:2026-01-01T00:00:30.123Z');
  assert.equal(at('ago:15m'), 'time:2025-12-31T23:46:30.123Z');
  for (const from of ['earliest', 'offset:3', 'after:k-2', 'time:2026-01-01T00:00:00Z']) {
    assert.equal(at(from), from);
  }
});

test('patterns', async (t) => {
  const overlap = (one, two) => new Patterns(one).overlaps(new Patterns(two));
  await t.test('cover what they match', () => {
    const patterns = new Patterns(['a.*', 'b.>', 'c']);
    for (const topic of ['a.x', 'b.x', 'b.x.y', 'c']) assert.ok(patterns.covers(topic), topic);
    for (const topic of ['a', 'a.x.y', 'b', 'c.x']) assert.ok(!patterns.covers(topic), topic);
  });
  await t.test('overlap if some topic may be in both', () => {
    assert.ok(overlap(['a.*'], ['*.b']));
    assert.ok(overlap(['a.>'], ['a.b.c']));
    assert.ok(overlap(['x', 'a.b'], ['a.b']));
    assert.ok(overlap(['>'], ['a.*.c']));
    assert.ok(!overlap(['a.>'], ['a']));
    assert.ok(!overlap(['a.*'], ['a.b.c', 'b.a']));
    assert.ok(!overlap(['a.*.c'], ['a.b.*.d']));
  });
});

test('a backoff', async (t) => {
  await t.test('doubles up to a bound, between the half and the whole', () => {
    const backoff = new Backoff();
    const waits = Array.from({ length: 9 }, () => backoff.waitMs(0, 0, 0));
    assert.deepEqual(waits, [125, 250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
    assert.equal(new Backoff().waitMs(0, 0, 0.5), 188);
  });
  await t.test('begins anew after a sound session, and waits at least what was asked for', () => {
    const backoff = new Backoff();
    for (let i = 0; i < 5; i++) backoff.waitMs(0, 0, 0);
    assert.equal(backoff.waitMs(4999, 0, 0), 4000);
    assert.equal(backoff.waitMs(5000, 3200, 0), 3325);
  });
});

test('a watch', async (t) => {
  await t.test('asks after 1.5 heartbeats of silence and gives up after 2', () => {
    const watch = new Watch(1000, 0);
    assert.equal(watch.look(1499), undefined);
    assert.equal(watch.look(1500), 'ping');
    assert.equal(watch.due, 2000);
    assert.equal(watch.look(1999), undefined);
    assert.equal(watch.look(2000), 'dead');
  });
  await t.test('is content when something is heard', () => {
    const watch = new Watch(1000, 0);
    watch.look(1500);
    watch.heard(1600);
    assert.equal(watch.look(2000), undefined);
    assert.equal(watch.due, 3100);
  });
  await t.test('asks at once when in doubt, one time, and waits 5 s at most', () => {
    const watch = new Watch(20_000, 0);
    assert.equal(watch.doubt(100), 'ping');
    assert.equal(watch.doubt(200), undefined);
    assert.equal(watch.due, 5100);
    assert.equal(watch.look(5100), 'dead');
  });
  await t.test('asks before it gives up after a sleep', () => {
    const watch = new Watch(1000, 0);
    assert.equal(watch.look(3_600_000), 'ping');
  });
});

test('close codes follow their range', () => {
  const all = (codes) => [...new Set(codes.map(disposition))];
  assert.deepEqual(all([1001, 1005, 1006, 1011, 1012, 1013, 4001, 4008, 4199]), ['reconnect']);
  assert.deepEqual(all([4200, 4201, 4202, 4203, 4499]), ['credentials']);
  assert.deepEqual(all([1000, 1002, 1003, 1007, 1009, 4500, 4503, 4999]), ['stop']);
});
