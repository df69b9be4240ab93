// What docs/protocol.md says of members, logs and pointers, kept by a test beside the server.

import assert from "node:assert/strict";

/** A log, and how far each has read it. Entries are messages, or `{ of }` for a change of one. */
class Conversation {
  entries = [];
  #read = new Map();

  get head() {
    return this.entries.length;
  }

  /** What was said, the deleted included. */
  get messages() {
    return this.entries.filter(({ of }) => of === undefined);
  }

  /** `{ seq, id, author, event, body, at }` was said: its author has read as far as that. */
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

  /** Moves the pointer, only forward, and not beyond the last entry. */
  readTo(user, seq) {
    this.#read.set(user, Math.max(this.readBy(user), Math.min(seq, this.head)));
  }

  readBy(user) {
    return this.#read.get(user) ?? 0;
  }

  unread(user) {
    return this.countAfter(this.readBy(user));
  }

  /** How many messages stand after `read`, up to `last`. */
  countAfter(read, last = this.head) {
    return this.messages.filter(({ seq }) => read < seq && seq <= last).length;
  }

  /** How it stands for somebody, as `welcome` says it. */
  counters(user) {
    return { seq: this.head, unread: this.unread(user), read: this.readBy(user) };
  }

  /** Begins with none unread. */
  startAt(user, seq) {
    this.#read.set(user, seq);
  }

  /** Answers to what was asked at once come in any order; each place is taken once. */
  #put(entry) {
    const { seq } = entry;
    assert.equal(this.entries[seq - 1], undefined, `two entries at ${seq}`);
    this.entries[seq - 1] = entry;
  }
}

export class Room extends Conversation {
  /** Who is a member, and as what. */
  members = new Map();

  constructor(name, firstRole = "owner") {
    super();
    this.name = name;
    this.firstRole = firstRole;
  }

  /** The conversation as a request names it. */
  address() {
    return { room: this.name };
  }

  has(user) {
    return this.members.has(user);
  }

  /** Joins somebody who was told that `seq` is the last entry; a member stays what they were. */
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
