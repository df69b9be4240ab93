// A client as one would write it: it folds what it hears into what was said, and comes back with
// `since`.

import { fold, holeAfter, messages, newLog } from "../../public/entries.js";
import { bodyCodec } from "../suites/binary.mjs";
import { connectWithToken } from "./fixtures.mjs";
import { withTimeout } from "./timeouts.mjs";

const MESSAGES = ["new message", "GroupChat", "SingleChat", "message edited", "message deleted"];

export class ReplicaDevice {
  /** What came that must not come. */
  violations = [];
  rooms = new Set();
  client = null;
  #logs = new Map();
  #newest = new Map();
  #notify = () => {};

  /** `options` are what it says at the door each time, with its `token`. */
  constructor(t, clientType, server, user, options) {
    const { write, read } = bodyCodec(clientType);
    Object.assign(this, { t, clientType, server, user, options, write, read });
  }

  get label() {
    return `${this.user} over ${this.clientType.label}`;
  }

  /** The rooms that it says in `since`. */
  knownRooms() {
    return [...this.#logs.keys()].filter((key) => !key.startsWith("@"));
  }

  async connect() {
    const since = Object.fromEntries(
      this.knownRooms().map((room) => [room, this.completeUpTo({ room })]),
    );
    const { token, ...handshake } = this.options;
    this.#newest.clear();
    this.client = await connectWithToken(this.t, this.clientType, this.server, token, {
      ...handshake,
      since,
    });
    this.client.events.listenFromStart((event, data) => this.#onEvent(event, this.read(data)));
    this.rooms = new Set(this.client.welcome.rooms.map(({ room }) => room));
    return this.client.welcome;
  }

  /** What is on its way by then is lost. */
  drop() {
    this.client.events.listen(() => {});
    this.client.drop();
    this.client = null;
  }

  async ask(event, data) {
    return this.read(await this.client.ask(event, this.write(data)));
  }

  /** Up to here the log of a conversation has everything. */
  completeUpTo(place) {
    const log = this.#log(place);
    return log.entries[0]?.seq === 1 ? (holeAfter(log) ?? log.last) : 0;
  }

  /** Takes over entries of a page, or what only the answer told. */
  fold(place, ...entries) {
    for (const entry of entries) fold(this.#log(place), entry);
    this.#notify();
  }

  /** What was said, as this device would show it. */
  visibleMessages(place) {
    return visibleMessages(this.#log(place));
  }

  /** Waits until all up to `seq` is there. */
  until(place, seq) {
    const there = new Promise((resolve) => {
      this.#notify = () => seq <= this.completeUpTo(place) && resolve();
      this.#notify();
    });
    return withTimeout(
      `${this.label}: ${seq} in ${keyOf(place)}, at ${this.completeUpTo(place)}`,
      there,
    );
  }

  #log(place) {
    const key = keyOf(place);
    if (!this.#logs.has(key)) this.#logs.set(key, newLog());
    return this.#logs.get(key);
  }

  #onEvent(event, data) {
    if (event === "membership") this.rooms[data.role === null ? "delete" : "add"](data.room);
    if (event === "closing" || event === "error message") this.violations.push({ event, ...data });
    if (event === "missed") this.#onMissed(data);
    if (MESSAGES.includes(event)) this.#onLive(event, data);
  }

  #onMissed({ room, messages: missed, recovered }) {
    if (!recovered) return this.violations.push({ event: "missed", room, recovered });
    for (const { seq } of missed) this.#advance({ room }, seq);
    this.fold({ room }, ...missed);
  }

  #onLive(event, data) {
    const { room, to, user, seq } = data;
    const place = room ? { room } : { with: to === this.user ? user : to };
    if (seq <= this.#newest.get(keyOf(place))) this.violations.push({ again: event, ...data });
    this.#advance(place, seq);
    this.fold(place, { event, ...data });
  }

  #advance(place, seq) {
    const key = keyOf(place);
    this.#newest.set(key, Math.max(this.#newest.get(key) ?? 0, seq));
  }
}

/** What was said, of a log or of entries. */
export function visibleMessages(log) {
  if (Array.isArray(log)) {
    const folded = newLog();
    for (const entry of log) fold(folded, entry);
    return visibleMessages(folded);
  }
  return messages(log).map(({ seq, id, author, at, body, editedAt, deleted, deletedBy }) => ({
    seq,
    id,
    author,
    at,
    body,
    editedAt,
    deleted,
    deletedBy,
  }));
}

const keyOf = (place) => place.room ?? `@${place.with}`;
