import assert from 'node:assert/strict';
import test from 'node:test';
import {
  Broker, Collector, SluiceError, assertContiguous, freshPrefix,
} from './support.mjs';

const broker = Broker.shared();

test('a token', async (t) => {
  const publisher = broker.client();
  t.after(() => publisher.close());

  await t.test('that expires is replaced by the callback’s next one, and nothing is lost',
    async () => {
      const topic = `${freshPrefix()}.a`;
      const given = [];
      const client = broker.client({
        token: async ({ refused }) => {
          assert.equal(refused, given.at(-1));
          given.push((await broker.makeToken(given.length ? undefined : '4s')).token);
          return given.at(-1);
        },
      });
      const all = new Collector(client.subscribe(topic));
      await all.ofType('live');
      let number = 0;
      await all.until('the second token', async () => {
        await publisher.publish(topic, ++number);
        return all.of('subscribed').length === 2;
      });
      await publisher.publish(topic, ++number);
      await all.ofType('event', number);
      assert.match(all.of('disconnected')[0].reason, /4200 token_expired/);
      assert.deepEqual(assertContiguous(all.items), { [topic]: number });
      assert.equal(given.length, 2);
      client.close();
    });

  await t.test('that was revoked is asked for again', async () => {
    const topic = `${freshPrefix()}.a`;
    let current = await broker.makeToken();
    const client = broker.client({ token: () => current.token });
    const all = new Collector(client.subscribe(topic));
    await all.ofType('live');
    const { id } = current;
    current = await broker.makeToken();
    await broker.revoke(id);
    await all.ofType('subscribed', 2);
    assert.match(all.of('disconnected')[0].reason, /4201 token_revoked/);
    assert.equal((await client.publish(topic, 1)).offset, 1);
    await all.ofType('event');
    client.close();
  });

  await t.test('that is refused, and no other, ends the client', async () => {
    const client = broker.client({ token: 'slc_bad_0000000000000000000000000000000000000000000' });
    const all = new Collector(client.subscribe(freshPrefix()));
    await assert.rejects(client.publish('a', 1), { code: 'unauthorized' });
    await all.done;
    assert.equal(all.error.code, 'unauthorized');
    const later = new Collector(client.subscribe(freshPrefix()));
    await later.done;
    assert.equal(later.error.code, 'unauthorized');
    await assert.rejects(client.publishAll([{ topic: 'a', data: 1 }]), { code: 'unauthorized' });
    client.close();
  });

  await t.test('is asked for again when the callback fails, unless it says that it is over',
    async () => {
      let calls = 0;
      const client = broker.client({
        token: () => {
          if (++calls === 1) throw new Error('no network');
          return broker.token;
        },
      });
      const all = new Collector(client.subscribe(freshPrefix()));
      await all.ofType('live');
      assert.match(all.of('disconnected')[0].reason, /no network/);
      client.close();
      const signedOut = broker.client({
        token: () => { throw new SluiceError('signed_out', 'Nobody is signed in.'); },
      });
      await assert.rejects(signedOut.publish('a', 1), { code: 'signed_out' });
      signedOut.close();
    });

  await t.test('of a callback serves publishes over HTTP, too', async () => {
    let calls = 0;
    const client = broker.client({ token: () => (++calls === 1 ? 'slc_no' : broker.token) });
    const [{ offset }] = await client.publishAll([{ topic: freshPrefix(), data: 1 }]);
    assert.deepEqual([offset, calls], [1, 2]);
    client.close();
  });
});
