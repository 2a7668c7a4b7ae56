// A client of the Sluice broker; sluice.d.ts documents it.

const version = '0.1.0';
const sessionsMax = 8;
/** The broker takes 1,000. */
const publishesInFlightMax = 500;
const waitFirstMs = 250;
const waitLongestMs = 30_000;
const soundAfterMs = 5000;
const answerTimeoutMs = 20_000;
const windowUsual = 1000;
const saveIntervalMs = 1000;
/** After so long without, a WebSocket is tried again. */
const streamsMs = 300_000;
const queryBytesMax = 7000;
const closedClient = { code: 'closed', message: 'The client was closed.' };

export class SluiceError extends Error {
  constructor(code, message, { remedy = '', retryAfterMs, at } = {}) {
    super(remedy ? `${message} ${remedy}` : message);
    this.name = 'SluiceError';
    Object.assign(this, { code, reason: message, remedy, retryAfterMs, at });
  }

  static of({ code, message, detail, remedy, retry_after_ms: retryAfterMs, at }) {
    return new SluiceError(code ?? 'failed', message ?? detail ?? code, {
      remedy, retryAfterMs, at,
    });
  }

  /** As `of` takes it: between threads an error would lose its members. */
  toJSON() {
    const { code, reason: message, remedy, retryAfterMs: retry_after_ms, at } = this;
    return { code, message, remedy, retry_after_ms, at };
  }
}

export class RawJSON {
  constructor(text) {
    JSON.parse(text);
    this.text = text;
  }
}

const rawMessage = Symbol('raw message');
/** An event up to its data, which is the last member; attributes hold strings only. */
const beforeData = /^\{("\w+":("([^"\\]|\\.)*"|\w+|\{("([^"\\]|\\.)*"|[^"{}])*\}),)*"data":/;

export function rawData(event) {
  const text = event[rawMessage];
  return text.slice(beforeData.exec(text)[0].length, text.lastIndexOf('}'));
}

/** Also where a page is not secure, which has no `randomUUID`. */
const randomID = () => crypto.getRandomValues(new Uint32Array(4)).join('-');

async function refusal(response) {
  const after = response.headers.get('retry-after');
  return { ...await response.json(), retry_after_ms: after === null ? undefined : after * 1000 };
}

async function publishLines(fetch, url, headers, body, signal) {
  try {
    const response = await fetch(`${url}v1/events`, {
      method: 'POST', headers: { ...headers, 'content-type': 'application/x-ndjson' }, body, signal,
    });
    if (response.ok) return { answer: await response.json() };
    return { error: SluiceError.of(await refusal(response)) };
  } catch (cause) {
    return {
      error: SluiceError.of({
        code: 'unreachable', message: `No answer: ${cause.message}.`, retry_after_ms: 0,
      }),
    };
  }
}

// Line ends can only stand between tokens, where a space means the same.
const oneLine = (text) => text.replace(/[\r\n]/g, ' ');

const byteCount = (text) => new TextEncoder().encode(text).length;

/** Where a subscriber stands in all its topics (doc:Session, "Exact resume"). */
export class Position {
  constructor({ start, cursors = {} } = {}) {
    this.start = start;
    this.cursors = new Map(Object.entries(cursors));
  }

  /** Moves behind a message of a subscription of ours. */
  received(message) {
    switch (message.type) {
      case 'subscribed':
        this.start = message.resume_from ?? this.start;
        for (const [topic, { cursor }] of Object.entries(message.topics)) {
          if (cursor) this.cursors.set(topic, cursor);
        }
        break;
      case 'event':
      case 'gap':
      case 'reset':
        if (message.cursor) this.cursors.set(message.topic, message.cursor);
        else this.cursors.delete(message.topic);
        break;
      case 'cursor':
        for (const [topic, cursor] of Object.entries(message.cursors)) {
          if (!isBehind(cursor, this.cursors.get(topic))) this.cursors.set(topic, cursor);
        }
    }
  }

  /** The cursors in objects that each fit a message. */
  parts(countMax, bytesMax) {
    const parts = [];
    let bytes = Infinity;
    for (const [topic, cursor] of this.cursors) {
      // Quotes, a colon and a comma.
      const more = topic.length + cursor.length + 6;
      if (bytes + more > bytesMax || parts.at(-1).length >= countMax) {
        parts.push([]);
        bytes = 0;
      }
      parts.at(-1).push([topic, cursor]);
      bytes += more;
    }
    return parts.map(Object.fromEntries);
  }

  toJSON() {
    return { start: this.start, cursors: Object.fromEntries(this.cursors) };
  }
}

/** Whether a cursor is before another one of the same epoch. */
function isBehind(cursor, known = '') {
  const end = cursor.lastIndexOf('-') + 1;
  return known.startsWith(cursor.slice(0, end)) && +cursor.slice(end) < +known.slice(end);
}

/** Where topics begin that were never seen, if no mark was said. */
export function startOfUnseen(from, began) {
  const units = { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5 };
  const ago = /^ago:(\d+)(ms|s|m|h|d)$/.exec(from);
  if (!ago && !/^(latest|last:)/.test(from)) return from;
  const margin = Math.max(6e4, ago ? ago[1] * units[ago[2]] : 0);
  return `time:${new Date(Date.parse(began) - margin).toISOString()}`;
}

export class Patterns {
  constructor(texts) {
    this.exact = new Set(texts.filter((text) => !/[*>]/.test(text)));
    this.wild = texts.filter((text) => !this.exact.has(text)).map((text) => text.split('.'));
  }

  covers(topic) {
    const segments = topic.split('.');
    return this.exact.has(topic) || this.wild.some((pattern) => meet(pattern, segments));
  }

  /** Judged by the patterns, not by today's topics. */
  overlaps(other) {
    return [...this.exact].some((topic) => other.covers(topic))
      || [...other.exact].some((topic) => this.covers(topic))
      || this.wild.some((one) => other.wild.some((two) => meet(one, two)));
  }
}

/** Whether some topic is matched by both; `>` is one segment or more. */
function meet(one, two) {
  for (let i = 0; ; i++) {
    const a = one[i];
    const b = two[i];
    if (a === undefined || b === undefined) return a === b;
    if (a === '>' || b === '>') return true;
    if (a !== b && a !== '*' && b !== '*') return false;
  }
}

export class Backoff {
  #ceilingMs = waitFirstMs;

  waitMs(lastedMs, askedMs, chance) {
    if (lastedMs >= soundAfterMs) this.#ceilingMs = waitFirstMs;
    const waitMs = this.#ceilingMs * (0.5 + chance / 2);
    this.#ceilingMs = Math.min(this.#ceilingMs * 2, waitLongestMs);
    return Math.round(askedMs + waitMs);
  }
}

/** Asks a silent broker after 1.5 heartbeats, and gives up after 2. */
export class Watch {
  #heartbeatMs;
  #isAsking = false;

  constructor(heartbeatMs, now) {
    this.#heartbeatMs = heartbeatMs;
    this.heard(now);
  }

  heard(now) {
    this.#isAsking = false;
    /** When to `look` again. */
    this.due = now + this.#heartbeatMs * 1.5;
  }

  look(now) {
    if (now < this.due) return undefined;
    if (this.#isAsking) return 'dead';
    return this.#ask(now, this.#heartbeatMs / 2);
  }

  /** The connection may be dead unnoticed. */
  doubt(now) {
    if (this.#isAsking) return undefined;
    return this.#ask(now, Math.min(5000, this.#heartbeatMs / 2));
  }

  #ask(now, patienceMs) {
    this.#isAsking = true;
    this.due = now + patienceMs;
    return 'ping';
  }
}

/** Publishes without an answer; what neither is ready nor held was sent. */
export class Outbox {
  #all = new Map();
  #ready = new Set();
  #held = new Set();

  add(id, publish) {
    this.#all.set(id, publish);
    this.#ready.add(id);
  }

  get(id) {
    return this.#all.get(id);
  }

  next() {
    const [id] = this.#ready;
    const sent = this.#all.size - this.#ready.size - this.#held.size;
    if (id === undefined || sent >= publishesInFlightMax) return undefined;
    this.#ready.delete(id);
    const publish = this.#all.get(id);
    publish.wasSent = true;
    return [id, publish];
  }

  hold(id) {
    this.#held.add(id);
  }

  release(id) {
    if (this.#held.delete(id)) this.#sort([id, ...this.#ready]);
  }

  /** The connection was lost: what was sent on it is ready again. */
  unsent() {
    this.#sort([...this.#all.keys()].filter((id) => !this.#held.has(id)));
  }

  remove(id) {
    const publish = this.#all.get(id);
    clearTimeout(publish.timer);
    for (const each of [this.#all, this.#ready, this.#held]) each.delete(id);
    return publish;
  }

  removeAll(isMeant) {
    return [...this.#all].filter(([, publish]) => isMeant(publish)).map(([id]) => this.remove(id));
  }

  #sort(ids) {
    this.#ready = new Set(ids.sort((a, b) => a - b));
  }
}

/** Unknown codes follow their range (doc:Session). */
export function disposition(code) {
  if (code >= 4000 && code < 4200) return 'reconnect';
  if (code >= 4200 && code < 4500) return 'credentials';
  return [1001, 1005, 1006, 1011, 1012, 1013].includes(code) ? 'reconnect' : 'stop';
}

/** One WebSocket that comes back. */
class Session {
  /** By the id of the subscribe that said them last. */
  upstreams = new Map();
  /** The broker's, while the session is open. */
  welcome = null;
  #engine;
  #socket = null;
  #token;
  /** The token that the broker did not take, or no longer. */
  #refused;
  #backoff = new Backoff();
  #watch;
  #timer;
  #openedAt = 0;
  #askedMs = 0;
  #isWaiting = false;
  /** By topic; made anew when the subscriptions change. */
  #routes = new Map();

  constructor(engine) {
    this.#engine = engine;
    this.#connect();
  }

  add(upstream) {
    upstream.session = this;
    this.assign(upstream);
    if (this.welcome) upstream.say();
  }

  /** Each subscribe has an id of its own, so that late answers mean nobody. */
  assign(upstream) {
    this.upstreams.delete(upstream.id);
    upstream.id = this.#engine.nextID();
    this.upstreams.set(upstream.id, upstream);
    this.#routes.clear();
  }

  remove(upstream) {
    this.upstreams.delete(upstream.id);
    this.#routes.clear();
    if (upstream.isSaid) this.send({ type: 'unsubscribe', id: upstream.id });
  }

  send(message) {
    const text = typeof message === 'string' ? message : JSON.stringify(message);
    if (this.#socket?.readyState === 1) this.#socket.send(text);
  }

  wake() {
    if (this.#isWaiting && !this.#askedMs) this.#connect();
    else if (this.welcome) {
      this.#act(this.#watch.doubt(Date.now()));
      this.#socket.wake?.();
    }
  }

  async #connect() {
    clearTimeout(this.#timer);
    this.#isWaiting = false;
    this.#askedMs = 0;
    const attempt = (this.#socket = {});
    let socket;
    try {
      const token = await this.#engine.token(this.#refused);
      if (this.#socket !== attempt) return;
      if (token && token === this.#refused) {
        throw new SluiceError('unauthorized', 'The broker did not take the token.', {
          remedy: 'Give another one, or a callback that gets one.',
        });
      }
      this.#token = token;
      socket = await this.#engine.open(this);
      if (this.#socket !== attempt) {
        socket.close();
        return;
      }
      this.#socket = socket;
    } catch (error) {
      if (this.#socket !== attempt) return;
      if (error instanceof SluiceError) this.#engine.fail(error);
      else this.#lost(`no token: ${error.message ?? error}`);
      return;
    }
    this.#timer = setTimeout(() => this.#lost('no answer'), answerTimeoutMs);
    socket.onopen = () => {
      this.#engine.failures = 0;
      if (this.#token) this.send({ type: 'auth', token: this.#token });
    };
    socket.onmessage = ({ data }) => this.#received(data);
    socket.onclose = ({ code, reason }) => this.#closed(code, reason);
    socket.onerror = () => {
      // Some implementations say only this when the handshake fails.
      if (this.#socket === socket && socket.readyState % 3 === 0) this.#closed(1006, '');
    };
  }

  close() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = this.welcome = null;
    this.#isWaiting = false;
    if (!socket?.close) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #closed(code, reason) {
    const shown = `${code} ${reason}`.trim();
    const next = disposition(code);
    if (next === 'stop' || (next === 'credentials' && !this.#token)) {
      this.#engine.fail(new SluiceError(reason || 'failed', `The broker closed: ${shown}.`, {
        remedy: next === 'stop' ? "The broker's log says more." : 'Give a token.',
      }));
      return;
    }
    // 4203: the token came too late, and may be fine.
    if (next === 'credentials' && code !== 4203) this.#refused = this.#token;
    this.#lost(`closed: ${shown}`);
  }

  #lost(reason) {
    const askedMs = this.#askedMs;
    const lasted = this.welcome ? Date.now() - this.#openedAt : 0;
    this.close();
    const waitMs = this.#backoff.waitMs(lasted, askedMs, Math.random());
    this.#askedMs = askedMs;
    this.#isWaiting = true;
    this.#timer = setTimeout(() => this.#connect(), waitMs);
    this.#engine.lost(this);
    for (const upstream of this.upstreams.values()) upstream.lost(reason, waitMs);
  }

  #received(text) {
    const message = JSON.parse(text);
    this.#watch?.heard(Date.now());
    const { type, id, topic } = message;
    switch (type === 'error' && message.to === 'publish' ? 'published' : type) {
      case 'welcome': this.#opened(message); break;
      case 'published': this.#engine.published(message); break;
      case 'closing': this.#askedMs = message.reconnect_after_ms ?? 0; break;
      case 'event':
      case 'gap':
      case 'reset': this.#route(topic)?.received(message, text); break;
      case 'cursor':
        for (const upstream of this.upstreams.values()) upstream.progressed(message.cursors);
        break;
      case 'error': this.upstreams.get(id)?.refused(message); break;
      default: this.upstreams.get(id)?.received(message);
    }
  }

  #opened(welcome) {
    clearTimeout(this.#timer);
    this.welcome = welcome;
    this.#refused = undefined;
    this.#openedAt = Date.now();
    this.#watch = new Watch(welcome.heartbeat_ms, this.#openedAt);
    this.#act();
    for (const upstream of [...this.upstreams.values()]) upstream.say();
    this.#engine.pump();
  }

  #act(decision) {
    if (decision === 'dead') {
      this.#lost('the broker is silent');
      return;
    }
    if (decision) this.send({ type: 'ping', id: this.#engine.nextID() });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#act(this.#watch.look(Date.now())),
      Math.max(0, this.#watch.due - Date.now()));
  }

  #route(topic) {
    let upstream = this.#routes.get(topic);
    if (!upstream) {
      upstream = [...this.upstreams.values()].find((each) => each.patterns.covers(topic));
      if (upstream) this.#routes.set(topic, upstream);
    }
    return upstream;
  }
}

/**
 * What a session uses of a WebSocket, where that is blocked: each subscription is a stream of
 * server-sent events, and each publish a request.
 */
class Streams {
  readyState = 1;
  #url;
  #fetch;
  #upstreams;
  #opens;
  #headers = { accept: 'text/event-stream' };
  /** By the id of the subscribe. */
  #streams = new Map();
  #lastPublish;
  #timer = setInterval(() => this.wake(), streamsMs);

  constructor(url, fetch, upstreams, opens) {
    this.#url = url;
    this.#fetch = fetch;
    this.#upstreams = upstreams;
    this.#opens = opens;
    setTimeout(() => this.#begin());
  }

  async wake() {
    if (await this.#opens()) this.#end();
  }

  send(text) {
    const { type, id, token, credit, events } = JSON.parse(text);
    const stream = this.#streams.get(id);
    switch (type) {
      case 'auth': this.#headers.authorization = `Bearer ${token}`; break;
      case 'subscribe':
      case 'update': this.#follow(id, type, stream ?? { credit: credit ?? Infinity }); break;
      case 'unsubscribe':
        this.#streams.delete(id);
        stream?.abort?.();
        break;
      case 'credit':
        stream.credit += events;
        stream.more?.();
        break;
      case 'ping': this.#say({ type: 'pong', id }); break;
      case 'publish': this.#lastPublish = this.#publish(id, text, this.#lastPublish);
    }
  }

  close() {
    this.readyState = 3;
    clearInterval(this.#timer);
    for (const stream of this.#streams.values()) stream.abort?.();
    this.#streams.clear();
  }

  #end(code = 1006, reason = '') {
    if (this.readyState === 3) return;
    this.close();
    this.onclose?.({ code, reason });
  }

  #say(message) {
    const data = typeof message === 'string' ? message : JSON.stringify(message);
    if (this.readyState === 1) this.onmessage?.({ data });
  }

  async #begin() {
    this.onopen?.();
    // A network that came back may be another one.
    this.wake();
    const response = await this.#get('v1/topics?limit=1');
    if (!response?.ok) return this.#refuse(response);
    const time = new Date(response.headers.get('date') ?? Date.now()).toISOString();
    return this.#say({
      type: 'welcome', time, heartbeat_ms: answerTimeoutMs,
      limits: { message_bytes: 2 ** 21, topics_per_subscribe: 10_000 },
    });
  }

  async #get(path, signal) {
    return this.#fetch(this.#url + path, { headers: this.#headers, signal }).catch(() => null);
  }

  /** What is not about one subscription ends all; a session comes back, or gets a token. */
  async #refuse(response, to, id) {
    const told = await refusal(response).catch(() => null);
    if (response?.status === 401) this.#end(4202, 'unauthorized');
    else if (to && told) this.#say({ ...told, type: 'error', to, id });
    else this.#end();
  }

  async #publish(id, text, before) {
    await before;
    if (this.readyState === 3) return;
    const { answer, error } = await publishLines(this.#fetch, this.#url, this.#headers,
      `{${oneLine(text.slice(text.indexOf('"topic"')))}`, AbortSignal.timeout(answerTimeoutMs));
    if (answer) this.#say({ type: 'published', id, ...answer.results[0] });
    else if (error.code === 'unauthorized') this.#end(4202, error.code);
    // What came behind it has to wait for it.
    else if (error.code === 'unreachable') this.#end();
    else this.#say({ type: 'error', to: 'publish', id, ...error.toJSON() });
  }

  #path({ patterns, request, position: { start, cursors } }) {
    const { topics, from, filter, overflow, max_rate } = request;
    const exact = topics.length === 1 && patterns.exact.size && topics[0];
    const cursor = cursors.get(exact);
    const query = new URLSearchParams(JSON.parse(JSON.stringify({
      filter, overflow, max_rate, from: cursor ? `after:${cursor}` : start ?? from,
    })));
    if (exact) return `v1/topics/${exact}/events?${query}`;
    for (const topic of topics) query.append('topic', topic);
    for (const [topic, each] of cursors) {
      // Of the others some events come again, and are left out then.
      if (`${query}`.length < queryBytesMax) query.append('cursor', `${topic}:${each}`);
    }
    return `v1/events?${query}`;
  }

  async #follow(id, to, stream) {
    this.#streams.set(id, stream);
    const upstream = this.#upstreams.get(id);
    const control = new AbortController();
    const response = await this.#get(this.#path(upstream), control.signal);
    if (this.#streams.get(id) !== stream) return control.abort();
    if (!response?.ok) return this.#refuse(response, to, id);
    stream.abort?.();
    stream.abort = () => control.abort();
    let wasTold = to === 'update';
    if (wasTold) this.#say({ type: 'updated', id });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ''; ;) {
      // The broker says something every 20 s, or the connection is dead.
      const timer = setTimeout(() => this.#end(), 2 * answerTimeoutMs);
      const { done, value } = await reader.read().catch(() => ({ done: true }));
      clearTimeout(timer);
      if (control.signal.aborted) return;
      if (done) return this.#end();
      const blocks = (rest + value).split('\n\n');
      rest = blocks.pop();
      for (const block of blocks) {
        const text = block.replace(/^(data: |[^d].*\n?)/gm, '');
        if (!wasTold) {
          wasTold = true;
          // Those of several topics have a colon, and are not for sessions.
          const cursor = /^id: ([^:\n]+)$/m.exec(block)?.[1];
          const topics = cursor ? { [upstream.request.topics[0]]: { cursor } } : {};
          this.#say({ type: 'subscribed', id, topics });
        }
        if (!text) continue;
        const message = JSON.parse(text);
        const { type, cursor } = message;
        if (type === 'event') {
          // Who does not read holds the broker back.
          const known = upstream.position.cursors.get(message.topic);
          if (cursor === known || isBehind(cursor, known)) continue;
          while (stream.credit <= 0) await new Promise((resolve) => (stream.more = resolve));
          stream.credit--;
        }
        if (control.signal.aborted) return;
        this.#say(/^l/.test(type) ? { ...message, id } : text);
        if (type === 'closing') this.#end(message.code, message.reason);
      }
    }
  }
}

/** A subscription as the broker sees it, for members that want the same. */
class Upstream {
  session = null;
  id = 0;
  members = new Set();
  /** In this connection: its subscribe was sent; was answered; no topic replays. */
  isSaid = false;
  stands = false;
  isLive = false;
  /** It was answered once, in any connection. */
  wasAnswered = false;
  #engine;
  /** Events that the broker may still send. */
  #credit = 0;
  #began;
  #backoff = new Backoff();
  #timer;
  /** Updates without an answer. */
  #updates = [];

  constructor(engine, request, position) {
    this.#engine = engine;
    this.request = request;
    this.patterns = new Patterns(request.topics);
    /** Behind all that came. */
    this.position = position;
  }

  /** What two subscriptions must have in common to be one. */
  static key(request) {
    return JSON.stringify([...request.topics].sort().concat(
      ['', request.overflow, request.max_rate, request.filter, request.isPaced]));
  }

  /** Whether a member that begins so would get the same from here on. */
  takes(request, position) {
    if (Upstream.key(request) !== Upstream.key(this.request)) return false;
    if (this.wasAnswered) {
      return this.isLive && request.from === 'latest' && !position.start && !position.cursors.size;
    }
    return request.from === this.request.from
      && JSON.stringify(position) === JSON.stringify(this.position);
  }

  join(member) {
    this.members.add(member);
    member.upstream = this;
    this.grant();
    if (!this.wasAnswered) return;
    // It stands where the others do, so their cursors and their mark are its own.
    const { start: resume_from, cursors } = this.position;
    const topics = Object.fromEntries([...cursors].map(([topic, cursor]) => [topic, { cursor }]));
    member.deliver({ type: 'subscribed', topics, resume_from, resumed: false });
    member.deliver({ type: 'live' });
  }

  say() {
    const { session, position, request } = this;
    const { message_bytes: bytesMax, topics_per_subscribe: countMax } = session.welcome.limits;
    clearTimeout(this.#timer);
    session.assign(this);
    this.#began ??= session.welcome.time;
    this.#credit = this.#allowed();
    const { isPaced, ...subscribe } = request;
    Object.assign(subscribe, {
      type: 'subscribe', id: this.id, from: position.start ?? request.from,
      credit: isPaced ? this.#credit : undefined,
    });
    const parts = position.parts(countMax - request.topics.length || 1, bytesMax - 100);
    if (parts.length === 1) {
      const whole = JSON.stringify({ ...subscribe, cursors: parts[0] });
      if (byteCount(whole) <= bytesMax) Object.assign(subscribe, { cursors: parts.pop() });
    }
    for (const cursors of parts) session.send({ type: 'cursors', id: this.id, cursors });
    session.send(subscribe);
    this.isSaid = true;
  }

  received(message, text) {
    switch (message.type) {
      case 'subscribed':
        this.stands = true;
        message.resume_from ??= this.position.start
          ?? startOfUnseen(this.request.from, this.#began);
        message.resumed = this.wasAnswered;
        this.wasAnswered = true;
        this.#backoff = new Backoff();
        for (const { member, call } of this.#updates.filter(({ isSent }) => !isSent)) {
          member.tab('done', call);
        }
        this.#updates = this.#updates.filter(({ isSent }) => isSent);
        break;
      case 'unsubscribed': this.fail(SluiceError.of({ code: 'unsubscribed', ...message })); return;
      case 'updated': this.#updated('done'); return;
      case 'live': this.isLive = true; break;
      case 'lagging': this.isLive = false; break;
      // No events come before `subscribed`: these are of one that was given up.
      default: if (!this.stands) return;
    }
    this.position.received(message);
    for (const member of this.members) member.deliver(message, text);
    if (message.type === 'event') this.#spend();
  }

  progressed(all) {
    const ours = Object.entries(all).filter(([topic]) => this.patterns.covers(topic));
    if (ours.length) this.received({ type: 'cursor', cursors: Object.fromEntries(ours) });
  }

  refused(error) {
    if (error.to === 'update') {
      Object.assign(this.request, this.#updated('refused', error)?.before);
    } else if (error.to === 'subscribe' && error.at?.field === 'credit' && this.request.isPaced) {
      this.request.isPaced = false;
      this.say();
    } else if (error.to === 'subscribe' || error.to === 'cursors') {
      this.isSaid = false;
      const { retry_after_ms: askedMs } = error;
      if (askedMs === undefined) this.fail(SluiceError.of(error));
      else {
        this.#timer = setTimeout(() => this.session?.welcome && this.say(),
          this.#backoff.waitMs(0, askedMs, Math.random()));
      }
    }
  }

  lost(reason, waitMs) {
    clearTimeout(this.#timer);
    this.isSaid = this.stands = this.isLive = false;
    // The next subscribe says them.
    for (const update of this.#updates) update.isSent = false;
    const message = { type: 'disconnected', reason, retry_in_ms: waitMs };
    for (const member of this.members) member.deliver(message);
  }

  update(member, call, changes) {
    const before = {};
    for (const name in changes) {
      before[name] = this.request[name];
      // To be without is null in an update, and absent in a subscribe.
      this.request[name] = changes[name] ?? undefined;
    }
    this.#updates.push({ member, call, before, isSent: this.isSaid });
    if (this.isSaid) this.session.send({ type: 'update', id: this.id, ...changes });
  }

  #updated(op, value) {
    const update = this.#updates.shift();
    update?.member.tab(op, update.call, value);
    return update;
  }

  grant() {
    const events = this.#allowed() - this.#credit;
    if (!this.isSaid || !this.request.isPaced || events <= 0) return;
    this.#credit += events;
    this.session.send({ type: 'credit', id: this.id, events });
  }

  close() {
    clearTimeout(this.#timer);
    this.session?.remove(this);
    this.session = null;
    for (const { member, call } of this.#updates) {
      member.tab('refused', call, { code: 'closed', message: 'The subscription ended.' });
    }
  }

  #allowed() {
    return Math.max(0, ...[...this.members].map((member) => member.credit));
  }

  #spend() {
    this.#credit--;
    for (const member of this.members) member.credit--;
    this.#engine.part(this);
  }

  fail(error) {
    this.isSaid = false;
    for (const member of [...this.members]) this.#engine.end(member, error);
  }
}

/** Serves tabs over one session, and more where topics overlap. */
class Engine {
  failure = null;
  /** Of WebSockets, since one opened. */
  failures = 0;
  #isBlocked = false;
  #url;
  #WebSocket;
  #fetch;
  /** The members by their ids, by what speaks to their tab. */
  #tabs = new Map();
  #sessions = [];
  #outbox = new Outbox();
  #tokens = new Map();
  #lastID = 0;

  constructor(url, WebSocket = globalThis.WebSocket, fetch = globalThis.fetch) {
    this.#url = url;
    this.#WebSocket = WebSocket;
    this.#fetch = fetch?.bind(globalThis);
  }

  nextID() {
    return ++this.#lastID;
  }

  attach(tab) {
    this.#tabs.set(tab, new Map());
  }

  detach(tab) {
    for (const member of this.#tabs.get(tab)?.values() ?? []) this.#leave(member);
    this.#tabs.delete(tab);
    this.#outbox.removeAll((publish) => publish.tab === tab);
    if (!this.#tabs.size) for (const session of this.#sessions.splice(0)) session.close();
  }

  receive(tab, op, id, ...rest) {
    const members = this.#tabs.get(tab);
    if (!members) return;
    const member = members.get(id);
    switch (op) {
      case 'subscribe': this.#subscribe(tab, members, id, ...rest); break;
      case 'credit': if (member) this.#grant(member, ...rest); break;
      case 'update': if (member) this.#update(member, ...rest); break;
      case 'unsubscribe': if (member) this.#leave(member); break;
      case 'publish': this.#publish(tab, id, ...rest); break;
      case 'cancel':
        this.#outbox.removeAll((publish) => publish.tab === tab && publish.call === id);
        break;
      case 'token': this.#tokens.get(id)?.(...rest); break;
      case 'wake': for (const session of this.#sessions) session.wake(); break;
      case 'bye': this.detach(tab);
    }
  }

  /** WebSockets are blocked where they don't open although the broker can be reached. */
  async open(session) {
    if (!this.#WebSocket) {
      throw new SluiceError('unsupported', 'There is no WebSocket here.', {
        remedy: 'Give one as the option WebSocket.',
      });
    }
    if (!this.#isBlocked && this.failures++ > 1 && await this.#isThere()) await this.#opens();
    if (!this.#isBlocked) return this.#socket();
    return new Streams(this.#url, this.#fetch, session.upstreams, () => this.#opens());
  }

  #socket() {
    return new this.#WebSocket(endpoint(this.#url, 'ws', 'v1/connect'), 'sluice.v1');
  }

  async #isThere() {
    return (await this.#fetch(`${this.#url}healthz`).catch(() => ({}))).ok;
  }

  /** Whether a WebSocket opens now. */
  #opens() {
    return new Promise((resolve) => {
      const socket = this.#socket();
      const end = (opens) => () => {
        // Of some implementations, closing tells of an end again.
        socket.onopen = socket.onclose = socket.onerror = null;
        socket.close();
        this.#isBlocked = !opens;
        resolve(opens);
      };
      socket.onopen = end(true);
      socket.onclose = socket.onerror = end(false);
      setTimeout(end(false), answerTimeoutMs);
    });
  }

  /** Of the first tab that answers: others may be asleep. */
  async token(refused) {
    let failure = new Error('nobody is left to ask');
    for (const tab of [...this.#tabs.keys()].reverse()) {
      const call = this.nextID();
      let timer;
      try {
        return await new Promise((resolve, reject) => {
          timer = setTimeout(reject, answerTimeoutMs, new Error('no answer'));
          this.#tokens.set(call, (token, error) =>
            error ? reject(error.code ? SluiceError.of(error) : error) : resolve(token));
          tab('token', call, refused);
        });
      } catch (error) {
        failure = error;
      } finally {
        clearTimeout(timer);
        this.#tokens.delete(call);
      }
    }
    throw failure;
  }

  fail(error) {
    this.failure = error;
    for (const session of this.#sessions.splice(0)) session.close();
    for (const members of this.#tabs.values()) {
      for (const member of [...members.values()]) this.end(member, error);
    }
    for (const publish of this.#outbox.removeAll(() => true)) {
      publish.tab('refused', publish.call, error.toJSON());
    }
  }

  #subscribe(tab, members, id, request, position, credit) {
    const deliver = (message, text) => tab('message', id, message, text);
    const member = { tab, id, credit, deliver, upstream: null };
    members.set(id, member);
    if (this.failure) return this.end(member, this.failure);
    const start = new Position(position);
    for (const session of this.#sessions) {
      for (const upstream of session.upstreams.values()) {
        if (upstream.takes(request, start)) return upstream.join(member);
      }
    }
    const upstream = new Upstream(this, { ...request }, start);
    upstream.join(member);
    return this.#place(upstream);
  }

  /** In a session, a topic is covered by one subscription only. */
  #place(upstream) {
    const isFree = ({ upstreams }) =>
      ![...upstreams.values()].some(({ patterns }) => patterns.overlaps(upstream.patterns));
    const session = this.#sessions.find(isFree)
      ?? (this.#sessions.length < sessionsMax && this.#newSession());
    if (session) return session.add(upstream);
    return upstream.fail(new SluiceError('overlap', `${sessionsMax} others have these topics.`, {
      remedy: 'Close one of them.',
    }));
  }

  #newSession() {
    const session = new Session(this);
    this.#sessions.push(session);
    return session;
  }

  #grant(member, events) {
    member.credit += events;
    const { upstream } = member;
    if (!upstream.session) return this.#place(upstream);
    this.part(upstream);
    return upstream.grant();
  }

  /** Who has no credit left stays behind: one that sleeps must not hold back the others. */
  part(upstream) {
    const { members } = upstream;
    if (members.size < 2 || ![...members].some(({ credit }) => credit > 0)) return;
    for (const member of [...members]) if (member.credit <= 0) this.#split(member);
  }

  #split(member) {
    const { request, position, members } = member.upstream;
    members.delete(member);
    const upstream = new Upstream(this, { ...request }, new Position(position.toJSON()));
    upstream.wasAnswered = true;
    upstream.members.add(member);
    member.upstream = upstream;
    return upstream;
  }

  #update(member, call, changes) {
    if (member.upstream.members.size > 1) this.#place(this.#split(member));
    member.upstream.update(member, call, changes);
  }

  end(member, error) {
    this.#leave(member);
    member.tab('failed', member.id, error.toJSON());
  }

  #leave(member) {
    this.#tabs.get(member.tab)?.delete(member.id);
    const { upstream } = member;
    if (!upstream) return;
    upstream.members.delete(member);
    if (upstream.members.size) return;
    const { session } = upstream;
    upstream.close();
    const at = this.#sessions.indexOf(session);
    // The first one stays for publishes and for what comes.
    if (at > 0 && !session.upstreams.size) {
      session.close();
      this.#sessions.splice(at, 1);
    }
  }

  #publish(tab, call, members, timeoutMs) {
    if (this.failure) return tab('refused', call, this.failure.toJSON());
    const id = this.nextID();
    const timer = setTimeout(() => {
      const { wasSent, reason } = this.#outbox.remove(id);
      tab('refused', call, {
        code: wasSent ? 'outcome_unknown' : 'unreachable',
        message: `No answer within ${timeoutMs} ms${reason ? `: ${reason}` : '.'}`,
        remedy: 'Publish it again with the same eventId.',
      });
    }, timeoutMs);
    const text = `{"type":"publish","id":${id},${members}`;
    this.#outbox.add(id, { tab, call, text, timer, backoff: new Backoff() });
    if (!this.#sessions.length) this.#newSession();
    return this.pump();
  }

  pump() {
    const session = this.#sessions[0];
    if (!session?.welcome) return;
    const bytesMax = session.welcome.limits.message_bytes;
    for (let next; (next = this.#outbox.next());) {
      const [id, { text }] = next;
      if (text.length * 3 <= bytesMax || byteCount(text) <= bytesMax) session.send(text);
      else {
        this.published({
          type: 'error', id, code: 'message_too_large',
          message: `The message is over ${bytesMax} bytes.`, remedy: 'Send less.',
        });
      }
    }
  }

  published(message) {
    const { type, id, ...result } = message;
    const publish = this.#outbox.get(id);
    if (!publish) return;
    if (type === 'error' && result.retry_after_ms !== undefined) {
      publish.reason = result.message;
      this.#outbox.hold(id);
      setTimeout(() => {
        this.#outbox.release(id);
        this.pump();
      }, publish.backoff.waitMs(0, result.retry_after_ms, Math.random()));
    } else {
      this.#outbox.remove(id);
      publish.tab(type === 'error' ? 'refused' : 'done', publish.call, result);
    }
    this.pump();
  }

  lost(session) {
    if (session === this.#sessions[0]) this.#outbox.unsent();
  }
}

function endpoint(url, scheme, path) {
  const { protocol, host, pathname } = new URL(url, globalThis.location?.href);
  const secure = protocol === 'https:' || protocol === 'wss:' ? 's' : '';
  return `${scheme}${secure}://${host}${pathname.replace(/\/*$/, '/')}${path}`;
}

/** In the SharedWorker, which is this module. */
function serve(scope) {
  let engine = null;
  scope.onconnect = ({ ports: [port] }) => {
    let mine = null;
    const tab = (op, id, value, text) => port.postMessage([op, id, text ? null : value, text]);
    port.onmessage = ({ data: [op, ...args] }) => {
      if (op !== 'hello') {
        mine?.receive(tab, op, ...args);
        return;
      }
      const [url, lock] = args;
      if (!engine || engine.failure) engine = new Engine(url);
      mine = engine;
      mine.attach(tab);
      // A tab that is gone lets go of its lock.
      scope.navigator.locks.request(lock, () => mine.detach(tab));
      port.postMessage(['ready']);
    };
  };
}

function connectShared(url, name, receive) {
  let link = null;
  let ops = [];
  let release;
  const lock = `sluice:${randomID()}`;
  const held = new Promise((resolve) => (release = resolve));
  const use = (what) => {
    if (!ops) return;
    link = what;
    for (const op of ops) link(...op);
    ops = null;
  };
  let port;
  const alone = () => {
    if (!ops) return;
    port?.postMessage(['bye']);
    release();
    use(connectAlone(url, undefined, receive));
  };
  try {
    const worker = new SharedWorker(import.meta.url, {
      type: 'module', name: `sluice ${version} ${url} ${name}`,
    });
    worker.onerror = alone;
    port = worker.port;
    port.onmessage = ({ data }) => {
      if (data[0] === 'ready') use((...message) => port.postMessage(message));
      else receive(...data);
    };
    navigator.locks.request(lock, () => {
      port.postMessage(['hello', url, lock]);
      return held;
    });
    setTimeout(alone, answerTimeoutMs);
  } catch {
    alone();
  }
  return (...message) => {
    if (ops) ops.push(message);
    else link(...message);
    if (message[0] === 'bye') release();
  };
}

function connectAlone(url, WebSocket, receive) {
  const engine = new Engine(url, WebSocket);
  engine.attach(receive);
  return (...message) => engine.receive(receive, ...message);
}

export class Sluice {
  #url;
  #token;
  #fetch;
  #link;
  #lastCall = 0;
  #calls = new Map();
  #subscriptions = new Map();
  #closed = new AbortController();

  constructor(url = globalThis.location?.origin, { token, shared, WebSocket, fetch } = {}) {
    this.#url = endpoint(url, 'http', '');
    this.#token = token;
    this.#fetch = fetch ?? globalThis.fetch?.bind(globalThis);
    const receive = (...message) => this.#received(...message);
    this.#link = shared && !WebSocket
      ? connectShared(this.#url, shared === true ? '' : shared, receive)
      : connectAlone(this.#url, WebSocket, receive);
    this.#listen();
  }

  subscribe(patterns, options = {}) {
    this.#check();
    const id = ++this.#lastCall;
    const link = (op, ...args) => this.#link(op, id, ...args);
    const call = (op, ...args) => this.#call(undefined, (number) => link(op, number, ...args));
    const subscription = new Subscription(options, link, call);
    this.#subscriptions.set(id, subscription);
    subscription[started]([patterns].flat(), () => this.#subscriptions.delete(id));
    return subscription;
  }

  async publish(topic, data, options = {}) {
    const { timeoutMs = 30_000, signal } = options;
    // The id makes it safe to send it again.
    const text = eventText({ eventId: randomID(), ...options, topic, data });
    return this.#call(signal, (call) => this.#link('publish', call, text.slice(1), timeoutMs));
  }

  async publishAll(events, { idempotencyKey, timeoutMs = 30_000, signal } = {}) {
    const hasIDs = events.every(({ eventId }) => eventId !== undefined);
    const body = events.map((event) => oneLine(eventText(event))).join('\n');
    const until = Date.now() + timeoutMs;
    const backoff = new Backoff();
    let key = idempotencyKey ?? (hasIDs ? undefined : randomID());
    let refused;
    for (;;) {
      signal?.throwIfAborted();
      const token = await this.#ask(refused);
      const bound = AbortSignal.timeout(Math.max(0, until - Date.now()));
      const headers = token ? { authorization: `Bearer ${token}` } : {};
      if (key !== undefined) headers['idempotency-key'] = key;
      const { answer, error } = await publishLines(this.#fetch, this.#url, headers, body,
        signal ? AbortSignal.any([signal, bound]) : bound);
      if (answer) return answer.results;
      if (error.code === 'ephemeral_topic' && key && !idempotencyKey) {
        // Nobody asked for the key.
        key = undefined;
        continue;
      }
      const isNew = error.code === 'unauthorized' && typeof this.#token === 'function'
        && refused !== token;
      if (isNew) refused = token;
      const isSafe = key !== undefined || hasIDs;
      const waitMs = isNew ? 0 : backoff.waitMs(0, error.retryAfterMs ?? 0, Math.random());
      const mayRetry = isNew || (error.retryAfterMs !== undefined && isSafe);
      if (!mayRetry || Date.now() + waitMs > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }

  close() {
    for (const subscription of [...this.#subscriptions.values()]) subscription.close();
    this.#link('bye');
    this.#closed.abort();
    for (const id of this.#calls.keys()) this.#received('refused', id, closedClient);
  }

  async #ask(refused) {
    return typeof this.#token === 'function' ? this.#token({ refused }) : this.#token;
  }

  #check() {
    if (this.#closed.signal.aborted) throw SluiceError.of(closedClient);
  }

  #call(signal, say) {
    this.#check();
    const call = ++this.#lastCall;
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const abort = () => {
        this.#link('cancel', call);
        this.#calls.delete(call);
        reject(signal.reason);
      };
      signal?.addEventListener('abort', abort, { once: true });
      const done = () => signal?.removeEventListener('abort', abort);
      this.#calls.set(call, { resolve, reject, done });
      say(call);
    });
  }

  #received(op, id, value, text) {
    const subscription = this.#subscriptions.get(id);
    switch (op) {
      case 'message': {
        const message = value ?? JSON.parse(text);
        message[rawMessage] = text;
        subscription?.[received](message);
        break;
      }
      case 'failed': subscription?.[ended](SluiceError.of(value)); break;
      case 'token':
        this.#ask(value).then((token) => this.#link('token', id, token), (error) => {
          const told = error instanceof SluiceError ? error.toJSON() : { message: `${error}` };
          this.#link('token', id, null, told);
        });
        break;
      default: {
        const call = this.#calls.get(id);
        this.#calls.delete(id);
        call?.done();
        if (op === 'done') call?.resolve(value);
        else call?.reject(SluiceError.of(value));
      }
    }
  }

  #listen() {
    const { signal } = this.#closed;
    const noticed = ({ type }) => {
      if (!/hide|freeze/.test(type)) this.#link('wake');
      for (const subscription of this.#subscriptions.values()) subscription[saved]();
    };
    for (const name of ['online', 'pageshow', 'pagehide']) {
      globalThis.addEventListener?.(name, noticed, { signal });
    }
    for (const name of ['visibilitychange', 'freeze', 'resume']) {
      globalThis.document?.addEventListener(name, noticed, { signal });
    }
  }
}

function eventText({ topic, data, key, eventId, attributes, ifHead }) {
  const text = data instanceof RawJSON ? data.text : JSON.stringify(data);
  if (text === undefined) throw new SluiceError('invalid_json', 'The data is no JSON value.');
  const head = { topic, key, event_id: eventId, attributes, if_head: ifHead };
  return `${JSON.stringify(head).slice(0, -1)},"data":${text}}`;
}

// What a client alone says to its subscriptions.
const received = Symbol('received');
const ended = Symbol('ended');
const saved = Symbol('saved');
const started = Symbol('started');

class Subscription {
  #link;
  #call;
  #options;
  #window;
  #taken = 0;
  #queue = [];
  #waiters = [];
  /** Behind all that was done with. */
  #position;
  /** What was given out, and may not be done with. */
  #hand = null;
  #persist;
  #isOver = false;
  #error = null;
  #forget;
  #saveTimer;

  constructor(options, link, call) {
    this.#link = link;
    this.#call = call;
    this.#options = options;
    this.#window = options.credit ?? windowUsual;
    if (!(this.#window >= 1)) throw new SluiceError('invalid_request', 'Credit is at least 1.');
    // Where a page may have no storage, even to look at it throws.
    const { key, storage = key && globalThis.localStorage } = options.persist ?? {};
    this.#persist = { storage, key };
    const kept = key && storage.getItem(key);
    const { start, cursors } = options.position ?? JSON.parse(kept || '{}');
    this.#position = new Position({ start, cursors: { ...cursors, ...options.cursors } });
  }

  get position() {
    const position = new Position(this.#position.toJSON());
    if (this.#hand) position.received(this.#hand);
    return position.toJSON();
  }

  async update({ maxRate, filter }) {
    // Without what is undefined.
    const changes = JSON.parse(JSON.stringify({ max_rate: maxRate, filter }));
    await this.#call('update', changes);
  }

  close() {
    if (this.#isOver) return;
    this.#link('unsubscribe');
    this[ended](null);
    this.#queue = [];
  }

  async next() {
    this.#settle();
    if (this.#queue.length) return this.#give(this.#queue.shift());
    if (this.#error) throw this.#error;
    if (this.#isOver) return { done: true, value: undefined };
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  /** Also after a throw, so that what is in hand may have to come again. */
  async return(value) {
    this.close();
    return { done: true, value };
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  [started](topics, forget) {
    const { from = 'latest', filter, overflow, maxRate } = this.#options;
    this.#forget = forget;
    this.#link('subscribe', {
      topics, from, filter, overflow, max_rate: maxRate, isPaced: this.#window !== Infinity,
    }, this.#position.toJSON(), this.#window);
    if (Object.keys(this.#options).some((name) => /^on(?!Error)/.test(name))) this.#run();
  }

  [received](message) {
    if (this.#isOver) return;
    const waiter = this.#waiters.shift();
    if (waiter) {
      this.#settle();
      waiter.resolve(this.#give(message));
    } else if (message.type === 'disconnected' && this.#queue.at(-1)?.type === message.type) {
      this.#queue[this.#queue.length - 1] = message;
    } else {
      this.#queue.push(message);
    }
  }

  [ended](error) {
    this.#isOver = true;
    this.#error = error;
    this.#forget();
    for (const { resolve, reject } of this.#waiters.splice(0)) {
      if (error) reject(error);
      else resolve({ done: true, value: undefined });
    }
    this[saved]();
  }

  [saved]() {
    clearTimeout(this.#saveTimer);
    this.#saveTimer = undefined;
    const { storage, key } = this.#persist;
    if (key) storage.setItem(key, JSON.stringify(this.#position));
  }

  #give(item) {
    this.#hand = item;
    if (item.type === 'event' && ++this.#taken >= this.#window / 2) {
      this.#link('credit', this.#taken);
      this.#taken = 0;
    }
    return { done: false, value: item };
  }

  #settle() {
    if (!this.#hand) return;
    this.#position.received(this.#hand);
    this.#hand = null;
    if (this.#persist.key) {
      this.#saveTimer ??= setTimeout(() => this[saved](), saveIntervalMs);
    }
  }

  async #run() {
    try {
      for await (const item of this) {
        const { type } = item;
        await this.#options[`on${type[0].toUpperCase()}${type.slice(1)}`]?.(item);
      }
    } catch (error) {
      if (!this.#options.onError) throw error;
      this.#options.onError(error);
    }
  }
}

if (globalThis.SharedWorkerGlobalScope && globalThis.name?.startsWith(`sluice ${version} `)) {
  serve(globalThis);
}
