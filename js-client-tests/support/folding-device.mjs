// A client as one would write it: it folds what it hears into what was said, and comes back with
// `since`.

import { fold, holeAfter, messages, newLog } from "../../public/entries.js";
import { formOf } from "../chapters/binary.mjs";
import { within } from "./patience.mjs";
import { comeBack } from "./people.mjs";

const MESSAGES = ["new message", "GroupChat", "SingleChat", "message edited", "message deleted"];

export class FoldingDevice {
  /** What came that must not come. */
  complaints = [];
  rooms = new Set();
  client = null;
  #logs = new Map();
  #newest = new Map();
  #look = () => {};

  /** `options` are what it says at the door each time, with its `token`. */
  constructor(t, way, server, user, options) {
    const { write, read } = formOf(way);
    Object.assign(this, { t, way, server, user, options, write, read });
  }

  get label() {
    return `${this.user} over ${this.way.label}`;
  }

  /** The rooms that it says in `since`. */
  known() {
    return [...this.#logs.keys()].filter((key) => !key.startsWith("@"));
  }

  async connect() {
    const since = Object.fromEntries(this.known().map((room) => [room, this.whole({ room })]));
    const { token, ...said } = this.options;
    this.#newest.clear();
    this.client = await comeBack(this.t, this.way, this.server, token, { ...said, since });
    this.client.inbox.listenFromStart((event, data) => this.#hear(event, this.read(data)));
    this.rooms = new Set(this.client.welcome.rooms.map(({ room }) => room));
    return this.client.welcome;
  }

  /** What is on its way by then is lost. */
  lose() {
    this.client.inbox.listen(() => {});
    this.client.vanish();
    this.client = null;
  }

  async ask(event, data) {
    return this.read(await this.client.ask(event, this.write(data)));
  }

  /** Up to here the log of a conversation has everything. */
  whole(place) {
    const log = this.#log(place);
    return log.entries[0]?.seq === 1 ? (holeAfter(log) ?? log.last) : 0;
  }

  /** Takes over entries of a page, or what only the answer told. */
  fold(place, ...entries) {
    for (const entry of entries) fold(this.#log(place), entry);
    this.#look();
  }

  /** What was said, as this device would show it. */
  shown(place) {
    return shown(this.#log(place));
  }

  /** Waits until all up to `seq` is there. */
  until(place, seq) {
    const there = new Promise((resolve) => {
      this.#look = () => seq <= this.whole(place) && resolve();
      this.#look();
    });
    return within(`${this.label}: ${seq} in ${keyOf(place)}, at ${this.whole(place)}`, there);
  }

  #log(place) {
    const key = keyOf(place);
    if (!this.#logs.has(key)) this.#logs.set(key, newLog());
    return this.#logs.get(key);
  }

  #hear(event, data) {
    if (event === "membership") this.rooms[data.role === null ? "delete" : "add"](data.room);
    if (event === "closing" || event === "error message") this.complaints.push({ event, ...data });
    if (event === "missed") this.#makeUp(data);
    if (MESSAGES.includes(event)) this.#live(event, data);
  }

  #makeUp({ room, messages: missed, recovered }) {
    if (!recovered) return this.complaints.push({ event: "missed", room, recovered });
    for (const { seq } of missed) this.#advance({ room }, seq);
    this.fold({ room }, ...missed);
  }

  #live(event, data) {
    const { room, to, user, seq } = data;
    const place = room ? { room } : { with: to === this.user ? user : to };
    if (seq <= this.#newest.get(keyOf(place))) this.complaints.push({ again: event, ...data });
    this.#advance(place, seq);
    this.fold(place, { event, ...data });
  }

  #advance(place, seq) {
    const key = keyOf(place);
    this.#newest.set(key, Math.max(this.#newest.get(key) ?? 0, seq));
  }
}

/** What was said, of a log or of entries. */
export function shown(log) {
  if (Array.isArray(log)) {
    const folded = newLog();
    for (const entry of log) fold(folded, entry);
    return shown(folded);
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
