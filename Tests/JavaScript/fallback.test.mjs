import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import https from 'node:https';
import { join } from 'node:path';
import test from 'node:test';
import { Chromium, findChromium } from './chromium.mjs';
import {
  Broker, Collector, RawJSON, Sluice, assertContiguous, freshPrefix, publishNumbers, until,
} from './support.mjs';

/** Stands before the broker, as companies have it: knows HTTP, and may refuse upgrades. */
class Gateway {
  blocksUpgrades = true;
  requests = [];
  upgradeCount = 0;
  #sockets = new Set();

  static async before(broker) {
    const tls = join(Broker.shared().data, 'tls');
    const [cert, key] = await Promise.all(
      ['server.pem', 'server.key'].map((name) => readFile(join(tls, name))));
    const gateway = new Gateway();
    const agent = new https.Agent({ keepAlive: true, rejectUnauthorized: false });
    // The Host stays, so that a page's origin is the broker's own.
    const ask = ({ method, url, headers }) => https.request({
      host: '127.0.0.1', port: broker.port, method, path: url, agent, headers,
    });
    gateway.server = https.createServer({ cert, key }, (request, response) => {
      gateway.requests.push(`${request.method} ${request.url}`);
      const onward = request.pipe(ask(request));
      onward.on('response', (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        response.flushHeaders();
        answer.pipe(response);
        answer.on('error', () => response.destroy()).on('aborted', () => response.destroy());
      });
      onward.on('error', () => response.destroy());
      response.on('close', () => onward.destroy());
    });
    gateway.server.on('upgrade', (request, socket, head) => {
      gateway.upgradeCount++;
      socket.on('error', () => {});
      if (gateway.blocksUpgrades) {
        socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
        return;
      }
      const onward = ask(request);
      onward.on('upgrade', (answer, other) => {
        const fields = Object.entries(answer.headers).map(([name, value]) => `${name}: ${value}`);
        socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields.join('\r\n')}\r\n\r\n`);
        other.on('error', () => {}).on('close', () => socket.destroy());
        socket.on('close', () => other.destroy());
        other.write(head);
        other.pipe(socket).pipe(other);
      });
      onward.on('error', () => socket.destroy());
      onward.end();
    });
    gateway.server.on('connection', (socket) => {
      gateway.#sockets.add(socket);
      socket.on('close', () => gateway.#sockets.delete(socket));
    });
    gateway.server.listen(0, '127.0.0.1');
    await once(gateway.server, 'listening');
    gateway.url = `https://127.0.0.1:${gateway.server.address().port}`;
    return gateway;
  }

  streams() {
    return this.requests.filter((line) => /^GET \/v1\/(topics\/[^?]*\/)?events/.test(line));
  }

  cut() {
    for (const socket of this.#sockets) socket.destroy();
  }

  close() {
    this.server.close();
    this.cut();
  }
}

const broker = Broker.shared();
const authorization = { authorization: `Bearer ${broker.token}` };
/** Whether this broker streams several topics, without which patterns need a WebSocket. */
const several = await fetch(`${broker.url}/v1/events?topic=a.*`, {
  headers: { ...authorization, accept: 'text/event-stream' },
});
several.body.cancel();
const skip = several.ok ? false : 'this broker streams no patterns';

test('where WebSockets are blocked', async (t) => {
  const direct = broker.client();
  t.after(() => direct.close());

  const behind = async (options) => {
    const gateway = await Gateway.before(broker);
    const client = new Sluice(gateway.url, { token: broker.token, ...options });
    t.after(() => {
      client.close();
      gateway.close();
    });
    return { gateway, client };
  };

  await t.test('a topic is followed exactly, through lost connections', async () => {
    const { gateway, client } = await behind();
    const topic = `${freshPrefix()}.a`;
    const all = new Collector(client.subscribe(topic));
    await all.ofType('live');
    for (let round = 0; round < 4; round++) {
      await publishNumbers(direct, topic, round * 10 + 1, round * 10 + 10);
      await all.until('some', ({ events }) => events.length > round * 10);
      gateway.cut();
      await all.ofType('subscribed', round + 2);
    }
    await all.ofType('event', 40);
    assert.deepEqual(assertContiguous(all.items), { [topic]: 40 });
    assert.deepEqual(all.of('subscribed').map(({ resumed }) => resumed),
      [false, true, true, true, true]);
    assert.match(gateway.streams().at(-1), /from=after%3A/);
    assert.equal(all.of('event')[0].data, 1);
  });

  await t.test('it waits for a topic that is not there yet, and is told of resets', async () => {
    const { client } = await behind();
    const topic = `${freshPrefix()}.a`;
    const all = new Collector(client.subscribe(topic, { from: 'earliest' }));
    await all.ofType('live');
    await publishNumbers(direct, topic, 1, 3);
    await all.ofType('event', 3);
    await broker.topic('DELETE', topic);
    await all.ofType('reset');
    await publishNumbers(direct, topic, 1, 1);
    await all.ofType('event', 4);
    assert.deepEqual(all.of('reset').map(({ reason }) => reason), ['deleted', 'recreated']);
  });

  await t.test('what it publishes is in order, once, and exact', async () => {
    const { gateway, client } = await behind();
    const topic = `${freshPrefix()}.a`;
    const text = '{ "n": 1.100000000000000000001,\n "s": "ü" }';
    const labels = { key: 'k', attributes: { a: 'b' } };
    const waiting = [client.publish(topic, new RawJSON(text), labels)];
    for (let number = 2; number <= 20; number++) waiting.push(client.publish(topic, number));
    await waiting[3];
    gateway.cut();
    const results = await Promise.all(waiting);
    assert.deepEqual(results.map(({ offset }) => offset), results.map((_, index) => index + 1));
    assert.equal(results[0].topic, topic);
    const all = new Collector(direct.subscribe(topic, { from: 'earliest' }));
    await all.ofType('event', 20);
    assert.deepEqual(all.events[0].attributes, { a: 'b' });
    assert.equal(all.events[0].key, 'k');
    assert.deepEqual(all.events.slice(1).map(({ data }) => data),
      Array.from({ length: 19 }, (_, index) => index + 2));
    await assert.rejects(client.publish('a b', 1),
      ({ code, remedy }) => code === 'invalid_topic' && remedy !== '');
    all.subscription.close();
  });

  await t.test('a slow program holds the broker back', async () => {
    const { client } = await behind();
    const topic = `${freshPrefix()}.a`;
    const filler = 'x'.repeat(2000);
    await direct.publishAll(Array.from({ length: 500 }, () => ({ topic, data: filler })));
    const items = [];
    for await (const item of client.subscribe(topic, { from: 'earliest', credit: 8 })) {
      items.push(item);
      if (item.offset % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 100));
      if (item.offset === 500) break;
    }
    assert.deepEqual(assertContiguous(items), { [topic]: 500 });
  });

  await t.test('filters hold, and can be changed', async () => {
    const { client } = await behind();
    const topic = `${freshPrefix()}.a`;
    const all = new Collector(client.subscribe(topic, { filter: '$ > 2 && $ < 100' }));
    await all.ofType('live');
    await publishNumbers(direct, topic, 1, 4);
    await all.ofType('event', 2);
    await all.subscription.update({ filter: '$ > 5' });
    await publishNumbers(direct, topic, 5, 6);
    await all.ofType('event', 3);
    await assert.rejects(all.subscription.update({ filter: '$ >' }),
      ({ code, remedy }) => code === 'invalid_filter' && remedy !== '');
    await publishNumbers(direct, topic, 5, 7);
    await all.ofType('event', 5);
    assert.deepEqual(all.events.map(({ data }) => data), [3, 4, 6, 6, 7]);
    const refused = new Collector(client.subscribe(`${topic}.b`, { filter: '$ >' }));
    await until('it is refused', () => refused.error);
    assert.equal(refused.error.code, 'invalid_filter');
  });

  await t.test('a token that ends is asked for anew, and a bad one refused', async () => {
    const { token: short } = await broker.makeToken('3s');
    const asked = [];
    const { client } = await behind({
      token: ({ refused }) => {
        asked.push(refused);
        return refused === short ? broker.token : short;
      },
    });
    const topic = `${freshPrefix()}.a`;
    const all = new Collector(client.subscribe(topic, { from: 'earliest' }));
    await until('the next token is asked for', () => asked.includes(short));
    await publishNumbers(direct, topic, 1, 3);
    await all.ofType('event', 3);
    assert.deepEqual(assertContiguous(all.items), { [topic]: 3 });
    const { client: stranger } = await behind({ token: 'slc_none' });
    await assert.rejects(stranger.publish('a', 1), ({ code }) => code === 'unauthorized');
  });

  await t.test('a WebSocket is taken again when one opens', async () => {
    // Node has no such events.
    const page = new EventTarget();
    globalThis.addEventListener = page.addEventListener.bind(page);
    t.after(() => delete globalThis.addEventListener);
    const { gateway, client } = await behind();
    const topic = `${freshPrefix()}.a`;
    const all = new Collector(client.subscribe(topic));
    await all.ofType('live');
    await publishNumbers(direct, topic, 1, 5);
    await all.ofType('event', 5);
    const { position } = all.subscription;
    gateway.blocksUpgrades = false;
    // As when the network is back.
    page.dispatchEvent(new Event('online'));
    await all.ofType('subscribed', 2);
    await publishNumbers(direct, topic, 6, 10);
    await all.ofType('event', 10);
    assert.deepEqual(assertContiguous(all.items), { [topic]: 10 });
    assert.equal(gateway.streams().length, 1);
    // What a stream made goes on in a session.
    const other = new Collector(direct.subscribe(topic, { position }));
    await other.ofType('event', 5);
    assert.deepEqual(assertContiguous(other.items, 6), { [topic]: 5 });
    other.subscription.close();
  });

  await t.test('a broker that is away is no block', async () => {
    const own = await Broker.another();
    const gateway = await Gateway.before(own);
    gateway.blocksUpgrades = false;
    const client = new Sluice(gateway.url, { token: own.token });
    t.after(async () => {
      client.close();
      gateway.close();
      await own.remove();
    });
    const topic = `${freshPrefix()}.a`;
    const all = new Collector(client.subscribe(topic));
    await all.ofType('live');
    await own.stop('SIGKILL');
    const before = gateway.upgradeCount;
    await until('some attempts', () => gateway.upgradeCount > before + 3);
    await own.begin();
    await client.publish(topic, 1, { timeoutMs: 60_000 });
    await all.ofType('event');
    assert.deepEqual(gateway.streams(), []);
  });

  await t.test('patterns and several topics are followed exactly', { skip }, async () => {
    const { gateway, client } = await behind();
    const prefix = freshPrefix();
    const all = new Collector(client.subscribe([`${prefix}.*`, `${prefix}.a.b`]));
    await all.ofType('live');
    const counts = {};
    for (let round = 0; round < 30; round++) {
      const topic = `${prefix}.${round % 7 ? `t${round % 5}` : 'a.b'}`;
      counts[topic] = (counts[topic] ?? 0) + 10;
      await publishNumbers(direct, topic, 1, 10);
      if (round % 6 === 5) {
        gateway.cut();
        await all.ofType('subscribed', all.of('subscribed').length + 1);
      }
    }
    await all.ofType('event', 300);
    assert.deepEqual(assertContiguous(all.items), counts);
  });

  await t.test('so are more topics than an address holds', { skip }, async () => {
    const { gateway, client } = await behind();
    const prefix = freshPrefix();
    const topics = Array.from({ length: 400 }, (_, index) => `${prefix}.a-long-name-${index}`);
    const all = new Collector(client.subscribe(`${prefix}.*`, { from: 'earliest' }));
    await all.ofType('live');
    await direct.publishAll(topics.map((topic) => ({ topic, data: 1 })));
    await all.ofType('event', 400);
    gateway.cut();
    await all.ofType('subscribed', 2);
    await direct.publishAll(topics.map((topic) => ({ topic, data: 2 })));
    await all.ofType('event', 800);
    assert.deepEqual(assertContiguous(all.items),
      Object.fromEntries(topics.map((topic) => [topic, 2])));
  });

  await t.test('so is a topic in a browser', {
    skip: findChromium() ? false : 'there is no Chromium',
  }, async () => {
    const gateway = await Gateway.before(broker);
    const browser = await Chromium.start();
    t.after(async () => {
      await browser.close();
      gateway.close();
    });
    const topic = `${freshPrefix()}.a`;
    // Of the gateway's own origin, with the client that the broker serves.
    const tab = await browser.open(`${gateway.url}/examples`);
    await tab.evaluate(`(async () => {
      const { Sluice } = await import('/sluice.js');
      globalThis.items = [];
      globalThis.client = new Sluice(location.origin, { token: '${broker.token}' });
      (async () => { for await (const item of client.subscribe('${topic}')) items.push(item); })();
    })()`);
    const events = (count) => until(`${count} events`, async () =>
      await tab.evaluate(`items.filter(({ type }) => type === 'event').length`) === count);
    await until('live', () => tab.evaluate(`items.some(({ type }) => type === 'live')`));
    await publishNumbers(direct, topic, 1, 10);
    await events(10);
    gateway.cut();
    await publishNumbers(direct, topic, 11, 20);
    await tab.evaluate(`client.publish('${topic}', 'from the page')`);
    await events(21);
    assert.deepEqual(assertContiguous(await tab.evaluate('items')), { [topic]: 21 });
    const before = gateway.upgradeCount;
    gateway.blocksUpgrades = false;
    await tab.setOffline(true);
    await tab.setOffline(false);
    // One to see whether it opens, and one to stay.
    await until('a WebSocket', () => gateway.upgradeCount >= before + 2);
    await publishNumbers(direct, topic, 22, 30);
    await events(30);
    assert.deepEqual(assertContiguous(await tab.evaluate('items')), { [topic]: 30 });
  });
});
