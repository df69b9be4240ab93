// Somebody who talks and reads whatever happens to the nodes, and keeps book of all of it.

import { openReconnecting } from "./reconnecting-client.mjs";
import { withTimeout } from "./timeouts.mjs";
import { delay } from "./timers.mjs";

const MESSAGES = ["new message", "GroupChat"];
const PRESENCE = ["user joined", "user left"];

/** Refusals after which one tries again, as the table of codes says. */
const RETRYABLE = ["unavailable", "draining", "too_fast"];

/** How long a client waits before it repeats what was refused. */
const RETRY_MS = 300;

/** Messages of one client that are not acknowledged yet. A person types no more meanwhile. */
const PENDING_MAX = 8;

/** Why a connection may end while something is broken: each of these says "come back". */
const EXPECTED_CLOSINGS = ["draining", "fault"];

export class LoadClient {
  /** One record for each connection there was, the last one of now. */
  connections = [];
  /** Everything said, in order: `{ id, event, data, place, tries, answer, connection }`. */
  sent = [];
  /** Of that, what is not acknowledged yet. */
  pending = new Set();
  /** What was told against the protocol. */
  violations = [];
  /** How often each refusal came, at the door or in answers, and why connections ended. */
  outcomes = new Map();
  /** Milliseconds from saying to hearing, of what others said and was heard live. */
  delays = [];
  /** When they went for good. */
  stoppedAt = Infinity;
  isConnected = false;
  #line;
  #handshake;
  #changed;
  #last = new Map();

  /** `rooms` are those to be in, the first one in place of the lobby; `changed` hears of news. */
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

  /** The connection of now, or the last one. */
  get connection() {
    return this.connections.at(-1);
  }

  get isStopped() {
    return this.stoppedAt !== Infinity;
  }

  /** For how long they were on no node at most, before they went for good. */
  get longestDisconnectedMs() {
    const gaps = this.connections.slice(1).map(({ from }, n) => from - this.connections[n].to);
    return Math.max(0, ...gaps);
  }

  /** The last entry of a room that they know: heard, or said and acknowledged. */
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

  /** Loses the connection, as a phone in a tunnel does, and comes back. */
  drop() {
    if (this.isConnected) this.#line.drop();
  }

  /** Goes, or stays away after a connection that was lost. */
  stop() {
    this.stoppedAt = performance.now();
    this.isConnected = false;
    this.#line.stop();
  }

  /** Says something; it is repeated until it is acknowledged. Does nothing when too much is open. */
  post(event, place, data) {
    if (this.isStopped || PENDING_MAX <= this.pending.size) return undefined;
    const item = { id: data.id, event, place, data, tries: 0 };
    this.sent.push(item);
    this.pending.add(item);
    if (this.isConnected) this.#send(item);
    return item;
  }

  /** Asks on the connection of now. */
  ask(event, data) {
    return withTimeout(`the answer to "${event}"`, this.#line.request(event, data));
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

  /** In the rooms again: what was not acknowledged is said once more, in its order. */
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
    else this.violations.push(`told to page the history of ${room}`);
  }

  #takeLive(event, data) {
    this.#take(data.room, { event, ...data }, true);
    const { saidAt } = data.msg ?? data.data;
    if (saidAt !== undefined) this.delays.push(performance.now() - saidAt);
  }

  #take(room, message, isLive) {
    const received = this.connection.received[room];
    if (received === undefined) this.violations.push(`heard of ${room}, which is not theirs`);
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
    if (!reconnect) this.violations.push(`told to stay away: ${code}`);
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

  /** Whoever answers twice answers the same. */
  #compare({ id, answer }, again) {
    if (again.ok && again.seq === answer.seq) return;
    this.violations.push(`${id}: answered ${answer.seq} and then ${JSON.stringify(again)}`);
  }

  #count(what) {
    this.outcomes.set(what, (this.outcomes.get(what) ?? 0) + 1);
  }
}
