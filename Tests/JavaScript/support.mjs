// What the tests of sluice.js share: a broker, a proxy that can be cut, and waiting for conditions.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { RawJSON, Sluice, SluiceError } from '../../Clients/JavaScript/sluice.js';

/** The machine may be busy; what takes longer than this does not come. */
export const deadlineMs = 60_000;

const run = promisify(execFile);

/** Waits until the condition gives something. */
export async function until(what, condition, milliseconds = deadlineMs) {
  const end = Date.now() + milliseconds;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${milliseconds} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** A broker with a database of its own. */
export class Broker {
  /** Flags are those of `sluice serve`. */
  static async start(binary, flags = {}) {
    const broker = new Broker();
    broker.binary = binary;
    broker.directory = await mkdtemp(join(tmpdir(), 'sluice-js-'));
    // The database server is another user where root runs the tests.
    await chmod(broker.directory, 0o755);
    broker.data = join(broker.directory, 'data');
    broker.port = await freePort();
    broker.url = `https://127.0.0.1:${broker.port}`;
    broker.flags = {
      listen: broker.url, 'data-dir': broker.data, loops: 1, 'log-level': 'warning',
      'connection-file': join(broker.directory, 'connection.json'), ...flags,
    };
    try {
      await broker.begin();
      const file = await until('the connection file is written', () =>
        readFile(broker.flags['connection-file'], 'utf8').catch(() => null));
      ({ token: broker.token, ca_file: broker.ca } = JSON.parse(file));
    } catch (error) {
      await broker.remove();
      throw error;
    }
    return broker;
  }

  /** The one that run.mjs started. */
  static shared() {
    return Object.assign(new Broker(), JSON.parse(process.env.SLUICE_JS_BROKER));
  }

  /** Another one, with the certificate of the one that run.mjs started. */
  static another(flags) {
    const tls = join(Broker.shared().data, 'tls');
    return Broker.start(Broker.shared().binary, {
      cert: join(tls, 'server.pem'), key: join(tls, 'server.key'), ...flags,
    });
  }

  async begin() {
    const log = await open(join(this.directory, 'log'), 'a');
    const flags = Object.entries(this.flags).flatMap(([name, value]) => [`--${name}`, `${value}`]);
    this.process = spawn(this.binary, ['serve', ...flags], {
      stdio: ['ignore', log.fd, log.fd], env: { ...process.env, HOME: this.directory },
    });
    await log.close();
    await until('the broker is ready', () => this.#isReady(), 120_000);
  }

  /** Ends it, with 'SIGKILL' at once, and waits for its end. */
  async stop(signal = 'SIGTERM') {
    const { process } = this;
    if (process.exitCode !== null || process.signalCode !== null) return;
    const gone = once(process, 'exit');
    process.kill(signal);
    const timer = setTimeout(() => process.kill('SIGKILL'), 30_000);
    await gone;
    clearTimeout(timer);
  }

  async remove() {
    await this.stop();
    await rm(this.directory, { recursive: true, force: true });
  }

  async #isReady() {
    assert.equal(this.process.exitCode, null, `see ${this.directory}/log`);
    // Also before its authority is known: only whether it listens.
    const socket = net.connect(this.port, '127.0.0.1');
    const isOpen = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    return isOpen;
  }

  async makeToken(ttl) {
    const { stdout } = await run(this.binary, [
      'token', 'create', '--data-dir', this.data, '--json', ...(ttl ? ['--ttl', ttl] : []),
    ]);
    return JSON.parse(stdout);
  }

  async revoke(id) {
    await run(this.binary, ['token', 'revoke', '--data-dir', this.data, id]);
  }

  /** A request about a topic. */
  async topic(method, topic, settings) {
    const response = await fetch(`${this.url}/v1/topics/${topic}`, {
      method, body: settings && JSON.stringify(settings),
      headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' },
    });
    const answer = await response.json();
    assert.ok(response.ok, JSON.stringify(answer));
    return answer;
  }

  client(options) {
    return new Sluice(this.url, { token: this.token, ...options });
  }
}

/** Stands between a client and the broker, and does what networks do. */
export class Proxy {
  #pairs = new Set();
  connectionCount = 0;

  static async before(broker) {
    const proxy = new Proxy();
    proxy.server = net.createServer((client) => proxy.#join(client, broker.port));
    proxy.server.listen(0, '127.0.0.1');
    await once(proxy.server, 'listening');
    proxy.url = `https://127.0.0.1:${proxy.server.address().port}`;
    return proxy;
  }

  get openCount() {
    return this.#pairs.size;
  }

  #join(client, port) {
    this.connectionCount++;
    const broker = net.connect(port, '127.0.0.1');
    const pair = { client, broker };
    this.#pairs.add(pair);
    client.pipe(broker).pipe(client);
    for (const [socket, other] of [[client, broker], [broker, client]]) {
      socket.on('error', () => {}).on('close', () => {
        other.destroy();
        this.#pairs.delete(pair);
      });
    }
  }

  /** Breaks all connections. */
  cut() {
    for (const { client, broker } of this.#pairs) {
      client.destroy();
      broker.destroy();
    }
  }

  /** The connections of now say nothing any more, in either direction, and stay open. */
  stall() {
    for (const { client, broker } of this.#pairs) {
      for (const socket of [client, broker]) socket.unpipe().on('data', () => {}).resume();
    }
  }

  /** What the broker says on the connections of now is lost. */
  mute() {
    for (const { broker } of this.#pairs) broker.unpipe().on('data', () => {}).resume();
  }

  async close() {
    this.server.close();
    this.cut();
    await until('the proxy is closed', () => !this.#pairs.size);
  }
}

/** Takes all items of a subscription, and waits for some. */
export class Collector {
  items = [];
  error = null;
  isDone = false;

  constructor(subscription) {
    this.subscription = subscription;
    this.done = this.#run();
  }

  async #run() {
    try {
      for await (const item of this.subscription) this.items.push(item);
    } catch (error) {
      this.error = error;
    }
    this.isDone = true;
  }

  of(type) {
    return this.items.filter((item) => item.type === type);
  }

  get events() {
    return this.of('event');
  }

  async until(what, condition) {
    await until(what, () => {
      if (this.error) throw this.error;
      return condition(this);
    });
  }

  async ofType(type, count = 1) {
    await this.until(`${count} × ${type}`, () => this.of(type).length >= count);
    return this.of(type);
  }
}

/**
 * Asserts that events and gaps tell of all offsets once and in order, in each topic.
 *
 * @returns How many offsets they told of, by topic.
 */
export function assertContiguous(items, first = 1) {
  const next = new Map();
  for (const item of items) {
    if (item.type !== 'event' && item.type !== 'gap') continue;
    const from = item.type === 'gap' ? item.from : item.offset;
    const expected = next.get(item.topic) ?? first;
    assert.equal(from, expected, `${item.topic}: ${item.type} ${from}, not ${expected}`);
    next.set(item.topic, (item.type === 'gap' ? item.to : item.offset) + 1);
  }
  return Object.fromEntries([...next].map(([topic, offset]) => [topic, offset - first]));
}

let lastPrefix = 0;

/** A prefix for topics that no other test has. */
export function freshPrefix() {
  return `js${process.pid}-${++lastPrefix}`;
}

/** Publishes numbers to a topic. */
export async function publishNumbers(client, topic, from, to, more = {}) {
  const events = [];
  for (let number = from; number <= to; number++) events.push({ topic, data: number, ...more });
  return client.publishAll(events);
}

export { RawJSON, Sluice, SluiceError };
