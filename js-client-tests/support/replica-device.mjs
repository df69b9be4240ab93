// A client that folds the events that it receives into a copy of each log, and reconnects with
// `since`.

import { fold, gapAfter, messages, newLog } from "../../public/entries.js";
import { bodyCodec } from "../suites/binary.mjs";
import { Conditions } from "./conditions.mjs";
import { connectWithToken } from "./fixtures.mjs";

const ENTRIES = [
  "new message",
  "GroupChat",
  "SingleChat",
  "message edited",
  "message deleted",
  "topic",
];

export class ReplicaDevice {
  /** Events that must not arrive. */
  violations = [];
  rooms = new Set();
  client = null;
  #logs = new Map();
  #newest = new Map();
  #conditions = new Conditions();

  /** `options` are sent at each connect, together with the `token`. */
  constructor(t, clientType, server, user, options) {
    const { write, read } = bodyCodec(clientType);
    Object.assign(this, { t, clientType, server, user, options, write, read });
  }

  get label() {
    return `${this.user} over ${this.clientType.label}`;
  }

  /** The rooms that it sends in `since`. */
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

  /** Drops the connection; events that arrive later are lost. */
  drop() {
    this.client.events.listen(() => {});
    this.client.drop();
    this.client = null;
  }

  async ask(event, data) {
    return this.read(await this.client.ask(event, this.write(data)));
  }

  /** The position up to which the log of a conversation has no gap. */
  completeUpTo(place) {
    const log = this.#log(place);
    return log.entries[0]?.seq === 1 ? (gapAfter(log) ?? log.last) : 0;
  }

  /** Adds entries of a page, or what only an acknowledgement contained. */
  fold(place, ...entries) {
    for (const entry of entries) fold(this.#log(place), entry);
    this.#conditions.notify();
  }

  /** The messages as this device would show them. */
  visibleMessages(place) {
    return visibleMessages(this.#log(place));
  }

  /** Waits until the log is complete up to `seq`. */
  until(place, seq) {
    const what = `${this.label}: ${seq} in ${keyOf(place)}, at ${this.completeUpTo(place)}`;
    return this.#conditions.until(what, () => seq <= this.completeUpTo(place));
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
    if (ENTRIES.includes(event)) this.#onLive(event, data);
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

/** The messages of a log or of a list of entries. */
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
