// A chat client to take and change: it comes back by itself, misses nothing and repeats nothing.
//
// `./roomcast.js` are the types that `roomcast contract --format d.ts` prints.

import { io, type Socket } from "socket.io-client";

import type {
  AcksOptional,
  Answer,
  Answers,
  Body,
  ClientToServerEvents,
  Entry,
  Requests,
  ServerToClientEvents,
} from "./roomcast.js";

/** A line of a room. Without `seq` it is on its way; with `failed` the server refused it. */
export interface Message {
  id: string;
  user: string;
  seq?: number;
  body?: Body;
  edited?: boolean;
  deleted?: boolean;
  failed?: string;
}

/** What a page shows of a room. `last` is the newest entry of the log that is in `messages`. */
export interface Room {
  messages: Map<string, Message>;
  first: number;
  last: number;
  unread: number;
}

export interface Options {
  /** A token for a user of yours, called for each connection; or the name of a guest. */
  identity: { token: () => Promise<string> } | { guest: string };
  /** After each change of a room; without `room` the user is in it no more. */
  changed: (name: string, room?: Room) => void;
  /** The server refuses the user; the client does not try again. */
  refused: (code: string, message?: string) => void;
}

const ANSWER_MS = 10_000;
const RETRY_MS = 1_000;
const PAGE = 50;
const TEMPORARY = ["too_fast", "unavailable", "draining", "internal"];

export class ChatClient {
  readonly rooms = new Map<string, Room>();
  user = "";
  #socket: AcksOptional<Socket<ServerToClientEvents, ClientToServerEvents>>;
  #options: Options;
  #token: string | undefined;
  #epoch: string | undefined;
  #unsent: { room: string; msg: Body; id: string }[] = [];
  #isIdentified = false;
  #isSending = false;

  constructor(url: string, options: Options) {
    this.#options = options;
    // A function: each connection sends the newest token and the newest positions.
    this.#socket = io(url, { auth: async (send) => send(await this.#handshake()) });
    const socket = this.#socket;
    socket.on("connect", () => this.#enter());
    socket.on("disconnect", () => (this.#isIdentified = false));
    socket.on(
      "connect_error",
      async (error: Error & { data?: { message: string; retryAfterMs?: number } }) => {
        if (socket.active) return; // no connection: it tries again by itself
        if (!TEMPORARY.includes(error.message))
          return options.refused(error.message, error.data?.message);
        await wait(error.data?.retryAfterMs ?? RETRY_MS);
        socket.connect();
      },
    );
    socket.on("closing", ({ code, reconnect }) => reconnect || options.refused(code));
    socket.on("auth expiring", async () => {
      if ("token" in options.identity)
        socket.emit("auth", { token: await options.identity.token() });
    });
    socket.on("welcome", ({ user, token, epoch, rooms }) => {
      const isOtherLog = this.#epoch !== undefined && this.#epoch !== epoch;
      this.user = user;
      this.#token = token ?? this.#token;
      this.#epoch = epoch;
      for (const name of this.rooms.keys()) {
        if (isOtherLog || !rooms.some((it) => it.room === name)) this.#leave(name);
      }
      for (const { room, seq, unread } of rooms) this.#join(room, seq, unread);
      this.#isIdentified = true;
      void this.#flush();
    });
    socket.on("membership", (it) => {
      if (it.role === null) this.#leave(it.room);
      else this.#join(it.room, it.seq, it.unread);
    });
    socket.on("missed", (it) => {
      if (it.recovered) this.#append(it.room, it.messages);
      else this.#begin(it.room, it.head); // too much was missed: show the end, `older` reads the rest
    });
    socket.on("new message", (it) => this.#live(it.room, { event: "new message", ...it }));
    socket.on("message edited", (it) => this.#live(it.room, { event: "message edited", ...it }));
    socket.on("message deleted", (it) => this.#live(it.room, { event: "message deleted", ...it }));
    socket.on("read", (it) => {
      const room = this.rooms.get(it.room ?? "");
      if (room && it.unread !== undefined) room.unread = it.unread;
      if (room) this.#changed(it.room ?? "", room);
    });
  }

  /** Shows a message at once, and sends it until it is acknowledged: also before the user is in the room. */
  send(name: string, msg: Body): void {
    const id = crypto.randomUUID(); // one message per id, however often it is sent
    this.#unsent.push({ room: name, msg, id });
    const room = this.rooms.get(name);
    room?.messages.set(id, { id, user: this.user, body: msg });
    if (room) this.#changed(name, room);
    void this.#flush();
  }

  /** The user has seen all of the room, on all of their devices. */
  async read(name: string): Promise<void> {
    const room = this.rooms.get(name);
    if (!room || room.unread === 0) return;
    const answer = await this.#request("read", { room: name, seq: room.last });
    if (answer?.ok) this.#changed(name, Object.assign(room, { unread: answer.unread }));
  }

  /** Reads the page of the log before `first`; returns whether there are more. */
  async older(name: string): Promise<boolean> {
    const room = this.rooms.get(name);
    if (!room || room.first <= 1) return false;
    const answer = await this.#request("history", { room: name, before: room.first, limit: PAGE });
    if (!answer?.ok) return false;
    // A page has messages as they are now, so its edits and deletions need no action.
    for (const entry of answer.messages) if (entry.event === "new message") fold(room, entry);
    room.first = answer.messages[0]?.seq ?? 1;
    this.#changed(name, room);
    return answer.more;
  }

  close(): void {
    this.#socket.disconnect();
  }

  async #handshake() {
    const { identity } = this.#options;
    const since = Object.fromEntries([...this.rooms].map(([name, { last }]) => [name, last]));
    for (;;) {
      try {
        const token = "token" in identity ? await identity.token() : this.#token;
        return { token, epoch: this.#epoch, since };
      } catch {
        await wait(RETRY_MS);
      }
    }
  }

  /** A guest says a name once; the token of `welcome` keeps it from then on. */
  async #enter() {
    const { identity } = this.#options;
    if ("token" in identity || this.#token !== undefined) return;
    const answer = await this.#request("identify", { name: identity.guest });
    if (answer && !answer.ok) this.#options.refused(answer.code, answer.message);
  }

  #join(name: string, seq: number, unread: number) {
    const room = this.rooms.get(name);
    if (room?.messages.size) this.#changed(name, Object.assign(room, { unread }));
    else this.#begin(name, seq, unread);
  }

  /** Shows the log from its end. */
  #begin(name: string, seq: number, unread = 0) {
    const unsent = this.#unsent.filter(({ room }) => room === name);
    const messages = new Map<string, Message>();
    for (const { id, msg } of unsent) messages.set(id, { id, user: this.user, body: msg });
    this.rooms.set(name, { messages, first: seq + 1, last: seq, unread });
    void this.older(name);
  }

  #leave(name: string) {
    this.rooms.delete(name);
    this.#options.changed(name);
  }

  #live(name = "", entry: Entry) {
    const room = this.rooms.get(name);
    // `welcome` has counted what was missed.
    if (room && entry.event === "new message")
      room.unread = entry.username === this.user ? 0 : room.unread + 1;
    this.#append(name, [entry]);
  }

  #append(name: string, entries: Entry[]) {
    const room = this.rooms.get(name);
    if (!room) return;
    for (const entry of entries) {
      fold(room, entry);
      room.last = entry.seq;
    }
    this.#changed(name, room);
  }

  #changed(name: string, room: Room) {
    this.#options.changed(name, room);
  }

  /** The answer, or nothing when the connection was lost before it. */
  async #request<E extends keyof Answers>(
    event: E,
    data: Requests[E],
  ): Promise<Answer<Answers[E]> | undefined> {
    if (!this.#socket.connected) return undefined;
    const socket = this.#socket.timeout(ANSWER_MS) as {
      emitWithAck(event: E, data: Requests[E]): Promise<Answer<Answers[E]>>;
    };
    return socket.emitWithAck(event, data).catch(() => undefined);
  }

  /** Sends what is not acknowledged, one after another, so that none overtakes. */
  async #flush() {
    if (this.#isSending) return;
    this.#isSending = true;
    for (let next = this.#unsent[0]; next && this.#isIdentified; next = this.#unsent[0]) {
      const answer = await this.#request("send message", next);
      if (!answer) continue; // the next connection sends it again
      if (!answer.ok && TEMPORARY.includes(answer.code)) {
        await wait(answer.retryAfterMs ?? RETRY_MS);
        continue;
      }
      this.#unsent.shift();
      const room = this.rooms.get(next.room);
      const message = room?.messages.get(next.id);
      if (!room || !message || answer.ok) continue;
      message.failed = answer.code;
      this.#changed(next.room, room);
    }
    this.#isSending = false;
  }
}

/** The messages of a room in their order, with those on their way at the end. */
export const lines = ({ messages }: Room): Message[] =>
  [...messages.values()].sort((one, other) => (one.seq ?? Infinity) - (other.seq ?? Infinity));

/** Applies an entry of the log. The message that `send` showed has the same id, and gets its place. */
function fold({ messages }: Room, entry: Entry) {
  const { id, seq } = entry;
  const known = messages.get(id);
  if (entry.event === "new message") {
    const { username: user, msg, editedAt, deleted = false } = entry;
    messages.set(id, { id, seq, user, body: msg, edited: editedAt !== undefined, deleted });
  } else if (known && entry.event === "message edited" && entry.msg !== undefined) {
    messages.set(id, { ...known, body: entry.msg, edited: true });
  } else if (known && entry.event === "message deleted") {
    messages.set(id, { ...known, body: undefined, deleted: true });
  }
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
