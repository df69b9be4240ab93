// A reference model of docs/protocol.md: members, logs and read positions, updated beside the
// server.

import assert from "node:assert/strict";

/** A log and each user's read position. Entries are messages, or `{ of }` for a change of one. */
class Conversation {
  entries = [];
  #read = new Map();

  get head() {
    return this.entries.length;
  }

  /** The messages, deleted ones included. */
  get messages() {
    return this.entries.filter(({ of }) => of === undefined);
  }

  /** Adds the message `{ seq, id, author, event, body, at }`; its author has read up to it. */
  post(message) {
    this.#put({ editedAt: null, deleted: false, ...message });
    this.readTo(message.author, message.seq);
  }

  edit(message, { seq, at }, body) {
    this.#put({ seq, of: message.seq });
    Object.assign(message, { body, editedAt: at });
  }

  delete(message, { seq, at }) {
    this.#put({ seq, of: message.seq });
    Object.assign(message, { body: null, editedAt: null, deleted: true, deletion: { seq, at } });
  }

  /** Moves the read position, only forward, and not beyond the last entry. */
  readTo(user, seq) {
    this.#read.set(user, Math.max(this.readBy(user), Math.min(seq, this.head)));
  }

  readBy(user) {
    return this.#read.get(user) ?? 0;
  }

  unread(user) {
    return this.countAfter(this.readBy(user));
  }

  /** How many messages follow `read`, up to `last`, without those deleted up to there. */
  countAfter(read, last = this.head) {
    const isKept = ({ deletion }) => deletion === undefined || deletion.seq > last;
    return this.messages.filter((it) => read < it.seq && it.seq <= last && isKept(it)).length;
  }

  /** The counters that `welcome` has for a user. */
  counters(user) {
    return { seq: this.head, unread: this.unread(user), read: this.readBy(user) };
  }

  /** Starts with nothing unread. */
  startAt(user, seq) {
    this.#read.set(user, seq);
  }

  /** Acknowledgements of concurrent requests arrive in any order; each position is used once. */
  #put(entry) {
    const { seq } = entry;
    assert.equal(this.entries[seq - 1], undefined, `two entries at ${seq}`);
    this.entries[seq - 1] = entry;
  }
}

export class Room extends Conversation {
  /** The members and their roles. */
  members = new Map();

  constructor(name, firstRole = "owner") {
    super();
    this.name = name;
    this.firstRole = firstRole;
  }

  /** The conversation as requests name it. */
  address() {
    return { room: this.name };
  }

  has(user) {
    return this.members.has(user);
  }

  /** Adds a user who received `seq` as the last entry; a member keeps their role. */
  join(user, seq) {
    if (this.has(user)) return;
    this.members.set(user, this.members.size === 0 ? this.firstRole : "member");
    this.startAt(user, seq);
  }

  leave(user) {
    this.members.delete(user);
  }

  mayDelete(user, { author }) {
    return author === user || this.members.get(user) === "owner";
  }

  summary(user) {
    return { room: this.name, ...this.counters(user), role: this.members.get(user) };
  }
}

export class DirectConversation extends Conversation {
  constructor(...users) {
    super();
    this.users = users;
  }

  address(user) {
    return { with: this.other(user) };
  }

  other(user) {
    return this.users.find((it) => it !== user);
  }

  has(user) {
    return this.users.includes(user);
  }

  mayDelete(user, { author }) {
    return author === user;
  }

  summary(user) {
    return { ...this.address(user), ...this.counters(user) };
  }
}
