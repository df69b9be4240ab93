// Somebody who talks and reads whatever happens to the nodes, and keeps book of all of it.

import { line } from "./lines.mjs";
import { within } from "./patience.mjs";
import { lasting } from "./ticks.mjs";

const MESSAGES = ["new message", "GroupChat"];
const PRESENCE = ["user joined", "user left"];

/** Refusals after which one tries again, as the table of codes says. */
const AGAIN = ["unavailable", "draining", "too_fast"];

/** How long a client waits before it repeats what was refused. */
const RETRY_MS = 300;

/** Messages of one client that are not acknowledged yet. A person types no more meanwhile. */
const PENDING_MAX = 8;

/** Why a connection may end while something is broken: each of these says "come back". */
const EXPECTED_CLOSINGS = ["draining", "fault"];

export class Resident {
  /** One record for each connection there was, the last one of now. */
  connections = [];
  /** Everything said, in order: `{ id, event, data, place, tries, answer, connection }`. */
  said = [];
  /** Of that, what is not acknowledged yet. */
  pending = new Set();
  /** What was told against the protocol. */
  complaints = [];
  /** How often each refusal came, at the door or in answers, and why connections ended. */
  told = new Map();
  /** Milliseconds from saying to hearing, of what others said and was heard live. */
  delays = [];
  /** When they went for good. */
  leftAt = Infinity;
  isUp = false;
  #line;
  #memory;
  #changed;
  #last = new Map();

  /** `rooms` are those to be in, the first one in place of the lobby; `changed` hears of news. */
  constructor({ way, route, token, name, rooms, changed }) {
    Object.assign(this, { way, route, name, rooms });
    this.#changed = changed;
    this.#memory = { token, room: rooms[0], since: Object.fromEntries(rooms.map((it) => [it, 0])) };
  }

  get token() {
    return this.#memory.token;
  }

  /** The connection of now, or the last one. */
  get connection() {
    return this.connections.at(-1);
  }

  get isGone() {
    return this.leftAt !== Infinity;
  }

  /** For how long they were on no node at most, before they went for good. */
  get longestAway() {
    const gaps = this.connections.slice(1).map(({ from }, n) => from - this.connections[n].to);
    return Math.max(0, ...gaps);
  }

  /** The last entry of a room that they know: heard, or said and acknowledged. */
  last(room) {
    return this.#last.get(room) ?? 0;
  }

  come() {
    const ears = { hear: (event, data) => this.#hear(event, data), down: (it) => this.#down(it) };
    this.#line = line(this.way, this.route, this.#memory, ears);
  }

  /** Loses the connection, as a phone in a tunnel does, and comes back. */
  lose() {
    if (this.isUp) this.#line.lose();
  }

  /** Goes, or stays away after a connection that was lost. */
  leave() {
    this.leftAt = performance.now();
    this.isUp = false;
    this.#line.end();
  }

  /** Says something; it is repeated until it is acknowledged. Does nothing when too much is open. */
  say(event, place, data) {
    if (this.isGone || PENDING_MAX <= this.pending.size) return undefined;
    const item = { id: data.id, event, place, data, tries: 0 };
    this.said.push(item);
    this.pending.add(item);
    if (this.isUp) this.#send(item);
    return item;
  }

  /** Asks on the connection of now. */
  ask(event, data) {
    return within(`the answer to "${event}"`, this.#line.request(event, data));
  }

  #hear(event, data) {
    if (this.isGone) return;
    const here = this.connection;
    if (event === "welcome") this.#arrive(data);
    else if (event === "missed") this.#missed(data);
    else if (MESSAGES.includes(event)) this.#takeLive(event, data);
    else if (event === "SingleChat") this.#takeDirect(data);
    else if (PRESENCE.includes(event)) here.presence.push({ event, ...data });
    else if (event === "get users") here.list = data;
    else if (event === "closing") this.#closing(data);
    else if (event === "error message") this.complaints.push(`${event} ${JSON.stringify(data)}`);
    this.#changed(event);
  }

  /** In the rooms again: what was not acknowledged is said once more, in its order. */
  #arrive({ epoch, directs, rooms }) {
    this.#memory.epoch = epoch;
    const { since } = this.#memory;
    this.connections.push({
      node: this.route.node,
      since: { ...since },
      head: Object.fromEntries(rooms.map(({ room, seq }) => [room, seq])),
      heard: Object.fromEntries(this.rooms.map((it) => [it, []])),
      directs: new Map(directs.map((it) => [it.with, { since: it.seq, heard: [] }])),
      presence: [],
      list: undefined,
      from: performance.now(),
      to: Infinity,
    });
    this.isUp = true;
    for (const it of this.pending) this.#send(it);
  }

  #missed({ room, messages, recovered }) {
    if (recovered) for (const it of messages) this.#take(room, it, false);
    else this.complaints.push(`told to page the history of ${room}`);
  }

  #takeLive(event, data) {
    this.#take(data.room, { event, ...data }, true);
    const { saidAt } = data.msg ?? data.data;
    if (saidAt !== undefined) this.delays.push(performance.now() - saidAt);
  }

  #take(room, message, isLive) {
    const heard = this.connection.heard[room];
    if (heard === undefined) this.complaints.push(`heard of ${room}, which is not theirs`);
    else heard.push({ ...message, isLive });
    this.#memory.since[room] = Math.max(this.#memory.since[room] ?? 0, message.seq);
    this.#know(room, message.seq);
  }

  #know(room, seq) {
    this.#last.set(room, Math.max(this.last(room), seq));
  }

  #takeDirect(message) {
    const other = message.user === this.name ? message.to : message.user;
    const { directs } = this.connection;
    if (!directs.has(other)) directs.set(other, { since: 0, heard: [] });
    directs.get(other).heard.push(message);
  }

  #closing({ code, reconnect }) {
    this.#count(`closing ${code}`);
    if (!EXPECTED_CLOSINGS.includes(code)) this.complaints.push(`closed with ${code}`);
    if (!reconnect) this.complaints.push(`told to stay away: ${code}`);
  }

  #down(reason) {
    this.#count(reason);
    if (this.isUp) this.connection.to = performance.now();
    this.isUp = false;
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
    if (!AGAIN.includes(answer.code)) this.complaints.push(`refused: ${JSON.stringify(answer)}`);
    await lasting(answer.retryAfterMs ?? RETRY_MS);
    if (this.isUp && item.connection === here) this.#send(item);
  }

  /** Whoever answers twice answers the same. */
  #compare({ id, answer }, again) {
    if (again.ok && again.seq === answer.seq) return;
    this.complaints.push(`${id}: answered ${answer.seq} and then ${JSON.stringify(again)}`);
  }

  #count(what) {
    this.told.set(what, (this.told.get(what) ?? 0) + 1);
  }
}
