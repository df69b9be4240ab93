// A client that sends and receives through all faults, and records what it sent and received.

import { openReconnecting } from "./reconnecting-client.mjs";
import { withTimeout } from "./timeouts.mjs";
import { delay } from "./timers.mjs";

const MESSAGES = ["new message", "GroupChat"];
const PRESENCE = ["user joined", "user left"];

/** Refusals after which a client retries, as docs/protocol.md says. */
const RETRYABLE = ["unavailable", "draining", "too_fast"];

/** How long a client waits before it retries. */
const RETRY_MS = 300;

/** Unacknowledged messages of one client. At the maximum it sends no more. */
const PENDING_MAX = 8;

/** Close codes that a fault may cause: each of them asks the client to reconnect. */
const EXPECTED_CLOSINGS = ["draining", "fault"];

export class LoadClient {
  /** One record per connection, the current one last. */
  connections = [];
  /** Everything sent, in order: `{ id, event, data, place, tries, answer, connection }`. */
  sent = [];
  /** The part of it that is not acknowledged yet. */
  pending = new Set();
  /** What the server sent against the protocol. */
  violations = [];
  /** How often each refusal and each reason of a disconnect occurred. */
  outcomes = new Map();
  /** Milliseconds from sending to receiving, for live messages of other clients. */
  delays = [];
  /** When the client stopped for good. */
  stoppedAt = Infinity;
  isConnected = false;
  #line;
  #handshake;
  #changed;
  #last = new Map();

  /**
   * `rooms` are the rooms to join, the first one as the default room; `changed` is called at each
   * event.
   */
  constructor({ clientType, rotation, token, name, rooms, changed }) {
    Object.assign(this, { clientType, rotation, name, rooms });
    this.#changed = changed;
    this.#handshake = {
      token,
      room: rooms[0],
      since: Object.fromEntries(rooms.map((it) => [it, 0])),
    };
  }

  get token() {
    return this.#handshake.token;
  }

  /** The current connection, or the last one. */
  get connection() {
    return this.connections.at(-1);
  }

  get isStopped() {
    return this.stoppedAt !== Infinity;
  }

  /** The longest time without a connection, before the client stopped. */
  get longestDisconnectedMs() {
    const gaps = this.connections.slice(1).map(({ from }, n) => from - this.connections[n].to);
    return Math.max(0, ...gaps);
  }

  /** The last entry of a room that the client knows: received, or sent and acknowledged. */
  last(room) {
    return this.#last.get(room) ?? 0;
  }

  start() {
    const handlers = {
      onEvent: (event, data) => this.#onEvent(event, data),
      onDisconnect: (it) => this.#onDisconnect(it),
    };
    this.#line = openReconnecting(this.clientType, this.rotation, this.#handshake, handlers);
  }

  /** Drops the connection; the client reconnects. */
  drop() {
    if (this.isConnected) this.#line.drop();
  }

  /** Disconnects for good. */
  stop() {
    this.stoppedAt = performance.now();
    this.isConnected = false;
    this.#line.stop();
  }

  /** Sends a message until it is acknowledged. Does nothing while too many are unacknowledged. */
  post(event, place, data) {
    if (this.isStopped || PENDING_MAX <= this.pending.size) return undefined;
    const item = { id: data.id, event, place, data, tries: 0 };
    this.sent.push(item);
    this.pending.add(item);
    if (this.isConnected) this.#send(item);
    return item;
  }

  /** Sends a request on the current connection. */
  ask(event, data) {
    return withTimeout(`the acknowledgement of "${event}"`, this.#line.request(event, data));
  }

  #onEvent(event, data) {
    if (this.isStopped) return;
    const here = this.connection;
    if (event === "welcome") this.#arrive(data);
    else if (event === "missed") this.#missed(data);
    else if (MESSAGES.includes(event)) this.#takeLive(event, data);
    else if (event === "SingleChat") this.#takeDirect(data);
    else if (PRESENCE.includes(event)) here.presence.push({ event, ...data });
    else if (event === "get users") here.list = data;
    else if (event === "closing") this.#closing(data);
    else if (event === "error message") this.violations.push(`${event} ${JSON.stringify(data)}`);
    this.#changed(event);
  }

  /** Records the new connection; unacknowledged messages are sent again in their order. */
  #arrive({ epoch, directs, rooms }) {
    this.#handshake.epoch = epoch;
    const { since } = this.#handshake;
    this.connections.push({
      node: this.rotation.node,
      since: { ...since },
      head: Object.fromEntries(rooms.map(({ room, seq }) => [room, seq])),
      received: Object.fromEntries(this.rooms.map((it) => [it, []])),
      directs: new Map(directs.map((it) => [it.with, { since: it.seq, received: [] }])),
      presence: [],
      list: undefined,
      from: performance.now(),
      to: Infinity,
    });
    this.isConnected = true;
    for (const it of this.pending) this.#send(it);
  }

  #missed({ room, messages, recovered }) {
    if (recovered) for (const it of messages) this.#take(room, it, false);
    else this.violations.push(`had to page the history of ${room}`);
  }

  #takeLive(event, data) {
    this.#take(data.room, { event, ...data }, true);
    const { sentAt } = data.msg ?? data.data;
    if (sentAt !== undefined) this.delays.push(performance.now() - sentAt);
  }

  #take(room, message, isLive) {
    const received = this.connection.received[room];
    if (received === undefined)
      this.violations.push(`received an entry of ${room}, which it has not joined`);
    else received.push({ ...message, isLive });
    this.#handshake.since[room] = Math.max(this.#handshake.since[room] ?? 0, message.seq);
    this.#know(room, message.seq);
  }

  #know(room, seq) {
    this.#last.set(room, Math.max(this.last(room), seq));
  }

  #takeDirect(message) {
    const other = message.user === this.name ? message.to : message.user;
    const { directs } = this.connection;
    if (!directs.has(other)) directs.set(other, { since: 0, received: [] });
    directs.get(other).received.push(message);
  }

  #closing({ code, reconnect }) {
    this.#count(`closing ${code}`);
    if (!EXPECTED_CLOSINGS.includes(code)) this.violations.push(`closed with ${code}`);
    if (!reconnect) this.violations.push(`told not to reconnect: ${code}`);
  }

  #onDisconnect(reason) {
    this.#count(reason);
    if (this.isConnected) this.connection.to = performance.now();
    this.isConnected = false;
    this.#changed("down");
  }

  async #send(item) {
    const here = this.connection;
    Object.assign(item, { connection: here, tries: item.tries + 1 });
    const answer = await this.#line.request(item.event, item.data);
    if (item.answer !== undefined) return this.#compare(item, answer);
    if (answer.ok) {
      Object.assign(item, { answer, answeredAt: performance.now(), answeredOn: here });
      this.pending.delete(item);
      if (item.event === "GroupChat") this.#know(item.place, answer.seq);
      return this.#changed("answer");
    }
    this.#count(`refused ${answer.code}`);
    if (!RETRYABLE.includes(answer.code))
      this.violations.push(`refused: ${JSON.stringify(answer)}`);
    await delay(answer.retryAfterMs ?? RETRY_MS);
    if (this.isConnected && item.connection === here) this.#send(item);
  }

  /** A repeated acknowledgement is the same as the first. */
  #compare({ id, answer }, again) {
    if (again.ok && again.seq === answer.seq) return;
    this.violations.push(`${id}: acknowledged at ${answer.seq} and then ${JSON.stringify(again)}`);
  }

  #count(what) {
    this.outcomes.set(what, (this.outcomes.get(what) ?? 0) + 1);
  }
}
