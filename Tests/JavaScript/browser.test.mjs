import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import https from 'node:https';
import { join } from 'node:path';
import test from 'node:test';
import { Chromium, findChromium } from './chromium.mjs';
import {
  Broker, Proxy, assertContiguous, freePort, freshPrefix, publishNumbers, until,
} from './support.mjs';

const worker = `
  import { Sluice } from '/sluice.js';
  onmessage = async ({ data: { url, token, topic } }) => {
    const client = new Sluice(url, { token });
    for await (const item of client.subscribe(topic)) postMessage(item);
  };`;

/** Serves the module, as a broker may, on an origin of its own. */
async function servePages(port) {
  const tls = join(Broker.shared().data, 'tls');
  const module = await readFile(new URL('../../Clients/JavaScript/sluice.js', import.meta.url));
  const [cert, key] = await Promise.all(
    ['server.pem', 'server.key'].map((name) => readFile(join(tls, name))));
  const files = {
    '/': ['text/html', '<!doctype html><title>page</title>'],
    '/sluice.js': ['text/javascript', module], '/worker.js': ['text/javascript', worker],
  };
  const server = https.createServer({ cert, key }, (request, response) => {
    const [type, body] = files[request.url] ?? ['text/plain', ''];
    response.writeHead(files[request.url] ? 200 : 404, { 'content-type': type }).end(body);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

const skip = findChromium() ? false : 'there is no Chromium';

test('in a browser', { skip }, async (t) => {
  const port = await freePort();
  const origin = `https://127.0.0.1:${port}`;
  const ends = [];
  t.after(async () => {
    for (const end of ends.reverse()) await end();
  });
  const broker = await Broker.another({ origins: origin });
  ends.push(() => broker.remove());
  const pages = await servePages(port);
  ends.push(() => {
    pages.close();
    pages.closeAllConnections();
  });
  const proxy = await Proxy.before(broker);
  ends.push(() => proxy.close());
  const browser = await Chromium.start();
  ends.push(() => browser.close());
  const publisher = broker.client();
  ends.push(() => publisher.close());

  /** A page that collects a topic's items. */
  const follow = async (topic, options = {}, subscribe = {}, first = '') => {
    const tab = await browser.open(origin);
    await tab.evaluate(`(async () => {
      ${first}
      const { Sluice } = await import('/sluice.js');
      globalThis.items = [];
      globalThis.client = new Sluice('${proxy.url}', ${JSON.stringify({
        token: broker.token, ...options,
      })});
      globalThis.subscription = client.subscribe('${topic}', ${JSON.stringify(subscribe)});
      (async () => { for await (const item of subscription) items.push(item); })();
    })()`);
    tab.items = () => tab.evaluate('items');
    tab.ofType = (type, count = 1) => until(`${count} × ${type}`, async () => {
      const found = (await tab.items()).filter((item) => item.type === type);
      return found.length >= count && found;
    });
    await tab.ofType('live');
    return tab;
  };
  const quiet = () => until('no connection is open', () => proxy.openCount === 0);

  await t.test('a page follows and publishes', async () => {
    const topic = `${freshPrefix()}.a`;
    const tab = await follow(topic);
    await publishNumbers(publisher, topic, 1, 10);
    const { offset } = await tab.evaluate(`client.publish('${topic}', { from: 'page' })`);
    assert.equal(offset, 11);
    const events = await tab.ofType('event', 11);
    assert.deepEqual(events.at(-1).data, { from: 'page' });
    assert.deepEqual(assertContiguous(await tab.items()), { [topic]: 11 });
    await tab.close();
    await quiet();
  });

  await t.test('a worker follows', async () => {
    const topic = `${freshPrefix()}.a`;
    const tab = await browser.open(origin);
    await tab.evaluate(`(() => {
      globalThis.items = [];
      const worker = new Worker('/worker.js', { type: 'module' });
      worker.onmessage = ({ data }) => items.push(data);
      worker.postMessage(${JSON.stringify({ url: proxy.url, token: broker.token, topic })});
    })()`);
    await until('live', () => tab.evaluate('items.some(({ type }) => type === "live")'));
    await publishNumbers(publisher, topic, 1, 10);
    await until('10 events', () => tab.evaluate('items.at(-1).offset === 10'));
    assert.deepEqual(assertContiguous(await tab.evaluate('items')), { [topic]: 10 });
    await tab.close();
    await quiet();
  });

  await t.test('tabs share one connection, and one may leave or be loaded again', async () => {
    const topic = `${freshPrefix()}.a`;
    const before = proxy.connectionCount;
    const first = await follow(topic, { shared: true });
    const second = await follow(topic, { shared: true });
    const other = await follow(`${topic}.other`, { shared: true });
    await publishNumbers(publisher, topic, 1, 10);
    await Promise.all([first, second].map((tab) => tab.ofType('event', 10)));
    assert.equal(proxy.connectionCount - before, 1);
    await first.close();
    assert.equal((await second.evaluate(`client.publish('${topic}', 11)`)).offset, 11);
    await second.ofType('event', 11);
    proxy.cut();
    await publishNumbers(publisher, topic, 12, 20);
    await second.ofType('event', 20);
    assert.deepEqual(assertContiguous(await second.items()), { [topic]: 20 });
    const subscribed = await other.ofType('subscribed', 2);
    assert.deepEqual(subscribed.map(({ resumed }) => resumed), [false, true]);
    const third = await follow(topic, { shared: true });
    await publishNumbers(publisher, topic, 21, 21);
    await third.ofType('event');
    assert.equal(proxy.openCount, 1);
    await Promise.all([second, third, other].map((tab) => tab.close()));
    await quiet();
  });

  await t.test('a tab that sleeps misses nothing', async () => {
    const topic = `${freshPrefix()}.a`;
    const tab = await follow(topic);
    await publishNumbers(publisher, topic, 1, 5);
    await tab.ofType('event', 5);
    await tab.freeze();
    await publishNumbers(publisher, topic, 6, 10);
    proxy.cut();
    await publishNumbers(publisher, topic, 11, 15);
    await tab.thaw();
    await tab.ofType('event', 15);
    assert.deepEqual(assertContiguous(await tab.items()), { [topic]: 15 });
    await tab.close();
    await quiet();
  });

  await t.test('a tab that sleeps does not hold back the others', async () => {
    const topic = `${freshPrefix()}.a`;
    const asleep = await follow(topic, { shared: true }, { credit: 8 });
    const awake = await follow(topic, { shared: true }, { credit: 8 });
    await asleep.freeze();
    await publishNumbers(publisher, topic, 1, 50);
    await awake.ofType('event', 50);
    await asleep.thaw();
    await asleep.ofType('event', 50);
    await publishNumbers(publisher, topic, 51, 60);
    await Promise.all([asleep, awake].map((tab) => tab.ofType('event', 60)));
    for (const tab of [asleep, awake]) {
      assert.deepEqual(assertContiguous(await tab.items()), { [topic]: 60 });
      await tab.close();
    }
    await quiet();
  });

  await t.test('when the network is back, a dead connection is noticed at once', async () => {
    const topic = `${freshPrefix()}.a`;
    const tab = await follow(topic);
    await tab.setOffline(true);
    assert.equal(await tab.evaluate('navigator.onLine'), false);
    // As after a change of the network: nobody says that the connection is gone.
    proxy.stall();
    await publishNumbers(publisher, topic, 1, 10);
    const began = Date.now();
    await tab.setOffline(false);
    await tab.ofType('event', 10);
    // The broker's heartbeat is 20 s, so that its silence says something after 40.
    assert.ok(Date.now() - began < 30_000);
    assert.deepEqual(assertContiguous(await tab.items()), { [topic]: 10 });
    await tab.close();
    await quiet();
  });

  await t.test('where no worker can be shared, a tab has its own connection', async () => {
    const topic = `${freshPrefix()}.a`;
    const tab = await follow(topic, { shared: true }, {}, 'delete globalThis.SharedWorker;');
    await publishNumbers(publisher, topic, 1, 3);
    await tab.ofType('event', 3);
    await tab.close();
    await quiet();
  });

  await t.test('a client of a shared connection that failed may be made anew', async () => {
    const topic = `${freshPrefix()}.a`;
    const tab = await follow(topic, { shared: 'me' });
    const failed = await tab.evaluate(`(async () => {
      const { Sluice } = await import('/sluice.js');
      const other = new Sluice('${proxy.url}', { token: 'slc_no', shared: 'other' });
      return other.publish('a', 1).catch(({ code, remedy }) => [code, remedy !== '']);
    })()`);
    assert.deepEqual(failed, ['unauthorized', true]);
    const { offset } = await tab.evaluate(`(async () => {
      const { Sluice } = await import('/sluice.js');
      const other = new Sluice('${proxy.url}', { token: '${broker.token}', shared: 'other' });
      return other.publish('${topic}', 1);
    })()`);
    assert.equal(offset, 1);
    await tab.ofType('event');
    await tab.close();
    await quiet();
  });

  await t.test('a page needs no module: fetch, EventSource and WebSocket with tickets', async () => {
    const topic = `${freshPrefix()}.a`;
    const tab = await browser.open(origin);
    await tab.evaluate(`(() => {
      const broker = '${proxy.url}', token = '${broker.token}';
      globalThis.publish = async (data, headers = {}) => {
        const answer = await fetch(broker + '/v1/topics/${topic}/events', {
          method: 'POST', body: JSON.stringify(data),
          headers: {
            authorization: 'Bearer ' + token, 'content-type': 'application/json', ...headers,
          },
        });
        return [answer.status, answer.headers.get('etag'), await answer.json()];
      };
      globalThis.ticket = async () => {
        const answer = await fetch(broker + '/v1/tickets', {
          method: 'POST', headers: { authorization: 'Bearer ' + token },
        });
        return (await answer.json()).ticket;
      };
      globalThis.items = [];
      globalThis.opened = 0;
      let start = 'latest';
      globalThis.follow = async () => {
        globalThis.source = new EventSource(broker + '/v1/topics/${topic}/events?follow&from='
          + start + '&ticket=' + await ticket());
        source.onopen = () => opened++;
        source.onmessage = ({ data, lastEventId: id }) => {
          start = id.startsWith('offset:') ? id : 'after:' + id;
          items.push(JSON.parse(data));
        };
        source.onerror = () => {
          // It comes back by itself, with a ticket that is used up.
          if (source.readyState === EventSource.CLOSED) setTimeout(follow, 100);
        };
      };
      return follow();
    })()`);
    const isThere = (type, count) => until(`${count} × ${type}`, () => tab.evaluate(
      `items.filter((item) => item.type === '${type}').length >= ${count}`));
    await isThere('live', 1);
    const [status, etag, { cursor }] = await tab.evaluate('publish(1)');
    assert.deepEqual([status, etag], [201, `"${cursor}"`]);
    await isThere('event', 1);
    proxy.cut();
    await publishNumbers(publisher, topic, 2, 5);
    await isThere('event', 5);
    assert.deepEqual(assertContiguous(await tab.evaluate('items')), { [topic]: 5 });
    assert.equal(await tab.evaluate('opened'), 2);
    const [moved, , { code, remedy }] = await tab.evaluate(
      `publish(6, { 'if-match': '"${cursor}"', 'idempotency-key': 'k' })`);
    assert.deepEqual([moved, code, remedy !== ''], [412, 'head_moved', true]);
    await tab.evaluate(`(async () => {
      globalThis.told = [];
      const connect = (ticket) => {
        const socket = new WebSocket('${proxy.url}/v1/connect?ticket=' + ticket, 'sluice.v1');
        socket.onmessage = ({ data }) => told.push(JSON.parse(data).type);
        socket.onclose = ({ code }) => told.push(code);
        return socket;
      };
      const once = await ticket();
      globalThis.socket = connect(once);
      await new Promise((resolve) => socket.addEventListener('message', resolve));
      connect(once);
    })()`);
    await until('the second one is refused', () => tab.evaluate('told.includes(4202)'));
    assert.deepEqual(await tab.evaluate('told'), ['welcome', 'error', 4202]);
    await tab.close();
    // The browser would keep the connections of fetch.
    proxy.cut();
  });

  await t.test('a page that is not listed reads nothing', async () => {
    const topic = `${freshPrefix()}.a`;
    const port = await freePort();
    const others = await servePages(port);
    const tab = await browser.open(`https://127.0.0.1:${port}`);
    const asked = await tab.evaluate(`(async () => {
      const ask = (path, options) => fetch('${proxy.url}' + path, options)
        .then(({ status }) => status, ({ name }) => name);
      const headers = {
        authorization: 'Bearer ${broker.token}', 'content-type': 'application/json',
      };
      return [
        await ask('/healthz'),
        await ask('/v1/topics/${topic}/events', { method: 'POST', headers, body: '1' }),
      ];
    })()`);
    assert.deepEqual(asked, ['TypeError', 'TypeError']);
    await assert.rejects(broker.topic('GET', topic), /topic_not_found/);
    await tab.close();
    others.close();
    others.closeAllConnections();
    proxy.cut();
  });

  await t.test('a position in localStorage outlives the page', async () => {
    const topic = `${freshPrefix()}.a`;
    const persist = { key: topic };
    const first = await follow(topic, {}, { persist });
    await publishNumbers(publisher, topic, 1, 5);
    await first.ofType('event', 5);
    await until('it is kept', () => first.evaluate(`localStorage['${topic}']?.includes('-5"')`));
    await first.close();
    await publishNumbers(publisher, topic, 6, 8);
    const second = await follow(topic, {}, { persist });
    const events = await second.ofType('event', 3);
    assert.deepEqual(events.map(({ offset }) => offset), [6, 7, 8]);
    await second.close();
  });
});
