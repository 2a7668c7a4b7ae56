import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { Chromium, findChromium } from './chromium.mjs';
import { Broker, freshPrefix, publishNumbers, until } from './support.mjs';

const broker = Broker.shared();
const client = new URL('../../Clients/JavaScript/', import.meta.url);

test('the broker serves its client', async (t) => {
  for (const [name, type] of [
    ['sluice.js', 'text/javascript; charset=utf-8'], ['sluice.d.ts', 'application/typescript'],
  ]) {
    await t.test(`${name}, to everybody`, async () => {
      const response = await fetch(`${broker.url}/${name}`);
      assert.equal(response.status, 200);
      assert.equal(response.headers.get('content-type'), type);
      // Asked for by fetch, which inflates it.
      assert.equal(response.headers.get('content-encoding'), 'gzip');
      const text = await readFile(new URL(name, client), 'utf8');
      // Lines that are comments are for who reads the file.
      const code = text.replace(/^ *(\/\/|\/\*\*|\* |\*\/).*\n/gm, '');
      assert.equal(await response.text(), name.endsWith('.d.ts') ? text : code);
    });
  }

  await t.test('in less than 12 KiB', async () => {
    const response = await fetch(`${broker.url}/sluice.js`, { method: 'HEAD' });
    const bytes = Number(response.headers.get('content-length'));
    t.diagnostic(`sluice.js: ${bytes} bytes`);
    assert.ok(bytes > 0 && bytes < 12 * 1024);
  });

  await t.test('once, to who kept it', async () => {
    const first = await fetch(`${broker.url}/sluice.js`);
    await first.arrayBuffer();
    const again = await fetch(`${broker.url}/sluice.js`, {
      headers: { 'if-none-match': first.headers.get('etag') },
    });
    assert.equal(again.status, 304);
  });

  await t.test('as a module that Node can use', async () => {
    const code = await (await fetch(`${broker.url}/sluice.js`)).text();
    const { Sluice } = await import(`data:text/javascript,${encodeURIComponent(code)}`);
    const served = new Sluice(broker.url, { token: broker.token });
    assert.equal((await served.publish('served.a', 1)).offset, 1);
    served.close();
  });
});

/** Whether this broker has tickets, without which EventSource can show no token. */
const hasTickets = (await fetch(`${broker.url}/v1/tickets`, {
  method: 'POST', headers: { authorization: `Bearer ${broker.token}` },
})).status === 201;

const skip = findChromium() ? false : 'there is no Chromium';

test('an example application of the broker', { skip }, async (t) => {
  const browser = await Chromium.start();
  t.after(() => browser.close());

  const open = async (path, token = broker.token) => {
    const tab = await browser.open(`${broker.url}${path}`);
    await tab.evaluate(`
      globalThis.violations = [];
      document.addEventListener('securitypolicyviolation', (violation) =>
        violations.push(violation.blockedURI + ' ' + violation.violatedDirective));
      document.querySelector('#sign-in input').value = ${JSON.stringify(token)};
      document.querySelector('#sign-in button').click();`);
    return tab;
  };
  const shown = (tab, selector) =>
    tab.evaluate(`document.querySelector('${selector}').textContent`);
  const connected = (tab) =>
    until('connected', async () => await shown(tab, '#note') === 'connected');
  const end = async (tab) => {
    assert.deepEqual(await tab.evaluate('violations'), []);
    assert.equal(await tab.evaluate('location.search + location.hash'), '');
    assert.equal(await tab.evaluate('getComputedStyle(document.body).maxWidth'), '704px');
    await tab.close();
  };

  await t.test('is a chat whose history comes to who comes later', async () => {
    const first = await open('/examples/chat');
    await connected(first);
    const say = (tab, author, text) => tab.evaluate(`
      document.querySelector('#say').elements.author.value = ${JSON.stringify(author)};
      document.querySelector('#say').elements.text.value = ${JSON.stringify(text)};
      document.querySelector('#say button').click();`);
    await say(first, 'Ann', 'Good morning');
    await until('said', async () => /Ann *Good morning/.test(await shown(first, '#lines')));
    const second = await open('/examples/chat');
    await until('the history', async () => /Ann *Good morn/.test(await shown(second, '#lines')));
    await say(second, 'Bo', '<b>not bold</b>');
    await until('answered', async () => (await shown(first, '#lines')).includes('<b>not bold</b>'));
    assert.equal(await first.evaluate(`document.querySelectorAll('#lines li').length`), 2);
    // Loaded again, the tab still has its token, and all that was said.
    await second.evaluate('location.reload()');
    await until('both again', async () =>
      /Ann.*Bo/.test(await shown(second, '#lines').catch(() => '')));
    await second.close();
    await end(first);
  });

  await t.test('is a ticker', async () => {
    const tab = await open('/examples/ticker');
    await connected(tab);
    await tab.evaluate(`document.querySelector('#publish').click()`);
    await until('prices', async () => /ACME *\d+\.\d\d/.test(await shown(tab, '#prices')));
    const rows = `document.querySelectorAll('#prices tr').length`;
    await until('three rows', async () => await tab.evaluate(rows) === 3);
    await end(tab);
  });

  const offsets = async (tab) => [...(await shown(tab, '#lines')).matchAll(/"offset":(\d+)/g)]
    .map(([, offset]) => Number(offset));
  /** The page is loaded again, and goes on behind what it has shown. */
  const checkResume = async (path, topic, pattern) => {
    const publisher = broker.client();
    const tab = await browser.open(`${broker.url}${path}`);
    const signIn = () => tab.evaluate(`{
      const form = document.querySelector('#sign-in');
      form.elements.token.value = ${JSON.stringify(broker.token)};
      form.elements.topic.value = ${JSON.stringify(pattern)};
      form.querySelector('button').click();
    }`);
    const shows = (expected) => until(`${expected}`, async () =>
      `${await offsets(tab).catch(() => '')}` === `${expected}`);
    await publishNumbers(publisher, topic, 1, 3);
    await signIn();
    await shows([1, 2, 3]);
    await tab.evaluate('window.isOld = true; location.reload()');
    // The old page would show what comes before it is gone, and a form whose script is not there
    // yet would go nowhere.
    await until('the page again', () =>
      tab.evaluate(`!window.isOld && document.readyState === 'complete'`).catch(() => false));
    await publishNumbers(publisher, topic, 4, 6);
    await signIn();
    await shows([4, 5, 6]);
    publisher.close();
    return tab;
  };

  await t.test('follows with a WebSocket alone', async () => {
    const prefix = freshPrefix();
    const tab = await checkResume('/examples/websocket', `${prefix}.a`, `${prefix}.>`);
    await tab.close();
  });

  await t.test('follows with EventSource and publishes with fetch', {
    skip: hasTickets ? false : 'this broker has no tickets',
  }, async () => {
    const topic = `${freshPrefix()}.a`;
    const tab = await checkResume('/examples/eventsource', topic, topic);
    await tab.evaluate(`document.querySelector('#publish button').click()`);
    await until('it came', async () => (await offsets(tab)).at(-1) === 7);
    await tab.close();
  });

  await t.test('says what is wrong with a token, and asks again', async () => {
    const tab = await open('/examples/chat', 'slc_none');
    const isAsking = `!document.querySelector('#sign-in').hidden`;
    await until('it asks again', () => tab.evaluate(isAsking));
    assert.match(await shown(tab, '#note'), /did not take the token/);
    assert.equal(await tab.evaluate('sessionStorage.token'), undefined);
    await end(tab);
  });
});
