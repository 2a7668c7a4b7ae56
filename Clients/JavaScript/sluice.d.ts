/** A JSON value. */
export type JSONValue =
  null | boolean | number | string | JSONValue[] | { [name: string]: JSONValue };

/** How to reach a broker, and who asks. */
export interface SluiceOptions {
  /**
   * A token, `slc_…`, or what gets one: called before each connection, with the token that the
   * broker refused or that ended, if one did. What it throws is tried again later; a `SluiceError`
   * ends the client, as does a token that was refused already. Without one the broker must have
   * `auth = none`.
   */
  token?: string | ((why: { refused?: string }) => string | Promise<string>);
  /**
   * One connection for all tabs of the browser that say the same here and have the same address,
   * in a SharedWorker; `true`, or a name, which differs where the tokens' owners do. The module
   * must then be served by the page's own origin. Where there is no SharedWorker, the client has
   * a connection of its own.
   */
  shared?: boolean | string;
  /** Instead of the global one, which older Nodes don't have. */
  WebSocket?: typeof WebSocket;
  /** Instead of the global one; for `publishAll`. Where WebSockets are blocked, the global one. */
  fetch?: typeof fetch;
}

/** What is published; `data` is a JSON value, or a JSON text that stays as it is. */
export interface OutgoingEvent<Data = unknown> extends EventLabels {
  topic: string;
  data: Data | RawJSON;
}

export interface EventLabels {
  /** Groups events, for conflation. */
  key?: string;
  /** The event's own id: what has the same is appended once. */
  eventId?: string;
  /** At most 16, and 1 KiB in all. */
  attributes?: { [name: string]: string };
}

export interface PublishOptions extends EventLabels {
  /** Appends only if the topic's head is at this cursor; else `head_moved`. Needs a WebSocket. */
  ifHead?: string;
  /** How long to try, over lost connections and a busy broker; 30,000 unless told. */
  timeoutMs?: number;
  /** Gives up; what was sent already may be appended. */
  signal?: AbortSignal;
}

export interface PublishAllOptions {
  /** For the whole request; random unless told or all events have ids. */
  idempotencyKey?: string;
  /** As of `PublishOptions`. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** Where an event was appended: it is committed. */
export interface PublishResult {
  topic: string;
  offset: number;
  cursor: string;
  /** RFC 3339. */
  time: string;
  /** An earlier publish with the same id or key appended it. */
  repeated: boolean;
}

/** Where a subscription stands in all its topics; JSON, to be kept. */
export interface SavedPosition {
  /** Where topics begin that were never seen. */
  start?: string;
  /** The last cursor of each topic. */
  cursors: { [topic: string]: string };
}

/** An event. */
export interface SluiceEvent<Data = any> {
  type: 'event';
  topic: string;
  /** 1, 2, 3 … dense in its topic. */
  offset: number;
  cursor: string;
  time: string;
  key?: string;
  event_id?: string;
  attributes?: { [name: string]: string };
  data: Data;
}

/** These offsets will not come. */
export interface Gap {
  type: 'gap';
  topic: string;
  from: number;
  to: number;
  cursor: string;
  reason: 'retention' | 'purged' | 'ephemeral' | 'overflow' | 'conflated' | (string & {});
}

/** The topic's offsets began anew, or, with `deleted`, it is gone. */
export interface Reset {
  type: 'reset';
  topic: string;
  cursor: string | null;
  reason: 'recreated' | 'restored' | 'deleted' | (string & {});
}

/** The subscription stands, for the first time or again. */
export interface Subscribed {
  type: 'subscribed';
  resumed: boolean;
  topics: { [topic: string]: { cursor: string | null; earliest?: number; latest?: number } };
}

/** All that was in the log is delivered; what comes is new. */
export interface Live { type: 'live' }

/** The program is slower than its topics, and is fed from the log until it is `live`. */
export interface Lagging { type: 'lagging'; behind: number }

/** How far it is, behind events that the filter left out. */
export interface Progress { type: 'cursor'; cursors: { [topic: string]: string } }

/** The connection was lost, or could not be made; it is tried again. */
export interface Disconnected { type: 'disconnected'; reason: string; retry_in_ms: number }

export type Item<Data = any> =
  SluiceEvent<Data> | Gap | Reset | Subscribed | Live | Lagging | Progress | Disconnected;

export interface SubscribeOptions<Data = any> {
  /**
   * `latest` (unless told), `earliest`, `last:10`, `ago:15m`, `time:2026-01-01T00:00:00Z`, and for
   * one name `offset:17` or `after:CURSOR`.
   */
  from?: string;
  /** Which events come, like `$.price > 100 && $.name == "A"`; what it leaves out is no gap. */
  filter?: string;
  /** What the broker does when the program is too slow for what waits; else each topic's own. */
  overflow?: 'replay' | 'conflate' | 'drop_oldest' | 'disconnect';
  /** Events a second of each topic, of which the newest of each key are kept. */
  maxRate?: number;
  /**
   * Events that may come ahead of what the program took, 1,000 unless told. `Infinity`: all, and
   * then a slow program's memory is not bounded.
   */
  credit?: number;
  /** Where an earlier subscription stood; wins over `from`. */
  position?: SavedPosition;
  /** Cursors by topic, which win over all else. */
  cursors?: { [topic: string]: string };
  /**
   * Keeps the position under this key, in `localStorage` unless told, and goes on from there. It is
   * written at most once a second, behind what the program is done with: after a crash, a few
   * events come again and none is missing. One subscription at a time may have the key.
   */
  persist?: { key: string; storage?: Pick<Storage, 'getItem' | 'setItem'> };

  // With one of these, the subscription is iterated on by itself. What they promise is awaited, so
  // that the broker goes at their pace.
  onEvent?(event: SluiceEvent<Data>): unknown;
  onGap?(gap: Gap): unknown;
  onReset?(reset: Reset): unknown;
  onSubscribed?(subscribed: Subscribed): unknown;
  onLive?(live: Live): unknown;
  onLagging?(lagging: Lagging): unknown;
  onCursor?(progress: Progress): unknown;
  onDisconnected?(disconnected: Disconnected): unknown;
  /** Why it is over; also what one of the others threw. */
  onError?(error: unknown): void;
}

/** Events and notices of some topics, across lost connections, without loss or repeats. */
export interface Subscription<Data = any> extends AsyncIterableIterator<Item<Data>> {
  /** Where to go on, one day and elsewhere: behind all that was given out. */
  readonly position: SavedPosition;
  /** Changes rate or filter, `null` takes it away; the position stays. */
  update(changes: { maxRate?: number | null; filter?: string | null }): Promise<void>;
  /** Ends it, and what iterates over it. */
  close(): void;
}

/** A client of one broker: connects when it is needed, and comes back by itself. */
export class Sluice {
  /** @param url `https://broker:8443`; in a page, the page's own origin unless told. */
  constructor(url?: string | URL, options?: SluiceOptions);
  /**
   * Follows names and patterns (`*` is one segment, a final `>` the rest), from this moment on.
   * Iterating throws a `SluiceError` when trying again can't help.
   */
  subscribe<Data = any>(
    patterns: string | string[], options?: SubscribeOptions<Data>): Subscription<Data>;
  /**
   * Publishes one event, once, also over lost connections; an ephemeral topic has no memory of ids
   * and may get it twice. What is published at a time keeps its order in a topic unless the broker
   * asks to try one of them again.
   *
   * @returns When it is committed.
   * @throws `SluiceError`: it was not appended, but for `outcome_unknown`.
   */
  publish(topic: string, data: unknown, options?: PublishOptions): Promise<PublishResult>;
  /**
   * Publishes events of any topics over HTTP, all or none.
   *
   * @throws `SluiceError`: none was appended, but for `outcome_unknown` and `unreachable`.
   */
  publishAll(events: OutgoingEvent[], options?: PublishAllOptions): Promise<PublishResult[]>;
  /** Ends all that it does. */
  close(): void;
}

/** Why something did not happen, and what to do about it. */
export class SluiceError extends Error {
  constructor(code: string, message: string, more?: {
    remedy?: string; retryAfterMs?: number; at?: { byte?: number; field?: string };
  });
  /** Of the broker's catalogue (`GET /v1/errors`), or `unreachable`, `closed`, `unsupported`. */
  code: string;
  /** What happened; `message` has the remedy, too. */
  reason: string;
  remedy: string;
  /** When the same may succeed; absent if trying again can't help. */
  retryAfterMs?: number;
  /** Where the input goes wrong: of the filter's own text, or of the message. */
  at?: { byte?: number; field?: string };
}

/** A JSON text to publish byte for byte. */
export class RawJSON {
  /** @throws `SyntaxError` for what is no JSON. */
  constructor(text: string);
  readonly text: string;
}

/** The exact JSON text of an event's data, where numbers have more digits than JavaScript's. */
export function rawData(event: SluiceEvent): string;
