// The official Admin UI: its settings, and a client that keeps what the page would show.

import { io } from "socket.io-client";
import msgpackParser from "socket.io-msgpack-parser";

import { MSGPACK_PATH } from "./socket.io.mjs";
import { once } from "./timeouts.mjs";
import { waitUntil } from "./wait-until.mjs";

/** The user of these tests. */
export const CREDENTIALS = { username: "root", password: "secret" };

/** The Admin UI with a password; its hash has the lowest cost. */
export const ADMIN_UI_SETTINGS = {
  "admin.ui.enabled": "on",
  "admin.ui.username": CREDENTIALS.username,
  "admin.ui.password_hash": "$2y$04$vyBj7A47d8YPKlxMjh/xSORLMt8x25LeWR.4UNl1OYrBOjQxgsnXW",
};

/** What the server logs about a wrong password. */
export const LOGIN_FAILED = /admin UI login failed/;

/** What the page adds up. */
function newCounts() {
  const traffic = { packetsIn: 0, bytesIn: 0, packetsOut: 0, bytesOut: 0 };
  return { rawConnection: 0, rawDisconnection: 0, ...traffic };
}

/** A page: it applies events as `@socket.io/admin-ui` does. */
export class AdminClient {
  /** The sockets by id. */
  sockets = new Map();
  /** The ids of sockets by room, in each namespace: `"/ lobby"`. */
  rooms = new Map();
  /** The last figures of each server. */
  servers = new Map();
  /** What happened to connections, of all servers together. */
  counts = newCounts();
  /** The same of each server. */
  countsOf = new Map();
  /** How many connections ended, by reason. */
  ends = {};
  /** Why sockets ended, by id. */
  reasons = new Map();
  /** The names of the events, in the order of arrival. */
  events = [];

  constructor(socket) {
    this.socket = socket;
    socket.onAny((event, ...args) => {
      this.events.push(event);
      this[`on_${event}`]?.(...args);
    });
  }

  /** The socket of the client before it is connected. */
  static open(t, server, auth = CREDENTIALS, { transports, msgpack, ...options } = {}) {
    const parser = msgpack ? { parser: msgpackParser, path: MSGPACK_PATH } : {};
    const socket = io(`${server.url}/admin`, {
      forceNew: true,
      reconnection: false,
      transports: transports ?? ["websocket"],
      auth,
      ...parser,
      ...options,
    });
    t.after(() => socket.close());
    return socket;
  }

  /** A page that has its first list. */
  static async connect(t, server, auth, options) {
    const socket = AdminClient.open(t, server, auth, options);
    const client = new AdminClient(socket);
    await once(socket, "connect");
    await client.until("the first figures", () => client.servers.size > 0);
    return client;
  }

  /** The message of the refusal. */
  static async refusal(t, server, auth, options) {
    const [error] = await once(AdminClient.open(t, server, auth, options), "connect_error");
    return error.message;
  }

  until(what, condition) {
    return waitUntil(what, async () => condition());
  }

  /** The only socket of a user, as soon as the page has it. */
  async socketOf(user) {
    const found = () => [...this.sockets.values()].find(({ data }) => data.user === user);
    await this.until(`the socket of ${user}`, () => found() !== undefined);
    return found();
  }

  /** Waits until a socket is in a room. */
  untilIn({ nsp, id }, room) {
    return this.until(`${id} in ${room}`, () => this.isIn({ nsp, id }, room));
  }

  /** Waits until a socket is not in a room any more. */
  untilOut({ nsp, id }, room) {
    return this.until(`${id} out of ${room}`, () => !this.isIn({ nsp, id }, room));
  }

  isIn({ nsp, id }, room) {
    return this.rooms.get(`${nsp} ${room}`)?.has(id) ?? false;
  }

  on_session(session) {
    this.session = session;
  }

  on_config({ supportedFeatures }) {
    this.features = supportedFeatures;
  }

  on_all_sockets(sockets) {
    this.sockets.clear();
    this.rooms.clear();
    for (const socket of sockets) this.on_socket_connected(socket);
  }

  on_socket_connected(socket) {
    this.sockets.set(socket.id, socket);
    for (const room of socket.rooms) this.on_room_joined(socket.nsp, room, socket.id);
  }

  on_socket_updated(socket) {
    Object.assign(this.sockets.get(socket.id), socket);
  }

  on_socket_disconnected(_nsp, id, reason) {
    this.sockets.delete(id);
    this.reasons.set(id, reason);
  }

  on_room_joined(nsp, room, id) {
    const key = `${nsp} ${room}`;
    this.rooms.set(key, (this.rooms.get(key) ?? new Set()).add(id));
  }

  on_room_left(nsp, room, id) {
    const key = `${nsp} ${room}`;
    this.rooms.get(key)?.delete(id);
    if (this.rooms.get(key)?.size === 0) this.rooms.delete(key);
  }

  on_server_stats(stats) {
    this.servers.set(stats.serverId, stats);
    if (!this.countsOf.has(stats.serverId)) this.countsOf.set(stats.serverId, newCounts());
    const ofServer = this.countsOf.get(stats.serverId);
    for (const { type, subType, count } of stats.aggregatedEvents) {
      for (const counts of [this.counts, ofServer]) counts[type] += count;
      if (type === "rawDisconnection") this.ends[subType] = (this.ends[subType] ?? 0) + count;
    }
  }
}
