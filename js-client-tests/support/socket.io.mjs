// The official Socket.IO clients, 1.x to 4.x, over each transport.

import { io as client48 } from "socket.io-client";
import client17 from "socket.io-client-1";
import client25 from "socket.io-client-2";
import client23 from "socket.io-client-2-3";
import { io as client31 } from "socket.io-client-3";
import msgpackParser from "socket.io-msgpack-parser";

import { Client } from "./client.mjs";
import { assertBuiltInAnswer, assertEvent } from "./contract.mjs";
import { SERVER_EVENTS } from "./server-events.mjs";
import { withTimeout } from "./timeouts.mjs";

const LIBRARIES = { 4.8: client48, 3.1: client31, 2.5: client25, 2.3: client23, 1.7: client17 };

/** Where clients with `socket.io-msgpack-parser` are served. */
export const MSGPACK_PATH = "/socket.io-msgpack/";

/** The type of the packet that refuses a space. */
const ERROR = 4;

const TRANSPORTS = {
  polling: ["polling"],
  websocket: ["websocket"],
  upgrade: ["polling", "websocket"],
};

/** One client version over one choice of transports. */
class SocketIoType {
  constructor(version, transport, parser) {
    this.version = version;
    this.transport = transport;
    /** `socket.io-msgpack-parser`, if the client has it. */
    this.parser = parser;
    this.label = `socket.io-client ${version}${parser ? " with msgpack" : ""}, ${transport}`;
    this.wire = "socket.io";
    /** Clients before 3.x use Engine.IO 3: no `auth`, other events for refusals. */
    this.legacy = Number(version) < 3;
    /**
     * Over polling, 1.x encodes text twice, which no server since 2.0 undoes: only ASCII arrives
     * intact.
     */
    this.asciiOnly = Number(version) < 2 && transport !== "websocket";
  }

  /** `text`, reduced to what this client can send. */
  text(text) {
    return this.asciiOnly ? text.replace(/[^\0-\x7f]/g, "x") : text;
  }

  /** The library's socket, as applications create it. */
  open(url, { space = "/", headers, protocols, query, extra = {}, onReturn, ...handshake } = {}) {
    const io = LIBRARIES[this.version];
    const options = {
      transports: TRANSPORTS[this.transport],
      forceNew: true,
      reconnection: false,
      ...withoutUndefined({ extraHeaders: headers, protocols, query }),
      ...(this.parser && { parser: this.parser, path: MSGPACK_PATH }),
      ...extra,
    };
    if (!this.legacy) return io(url + space, { auth: handshakeAuth(handshake), ...options });
    options.query = { ...query, ...toQuery(handshake) };
    // In `io(url + space, { query })` these clients also put the query into the namespace's name.
    const socket = space === "/" ? io(url, options) : new io.Manager(url, options).socket(space);
    socket.io.on("reconnect_attempt", () => {
      if (onReturn) socket.io.opts.query = onReturn();
    });
    return socket;
  }

  /** A connection that the server has accepted. */
  async connect(server, options) {
    const client = new SocketIoClient(this, this.open(server.url, options));
    try {
      await withTimeout(`a connection of ${this.label}`, client.connected);
    } catch (refusal) {
      client.close();
      throw refusal;
    }
    return client;
  }

  /** The error with which the server refuses the connection, as the library reports it. */
  async connectError(server, options) {
    const socket = this.open(server.url, options);
    const refused = new Promise((resolve) => {
      socket.once(this.legacy ? "error" : "connect_error", resolve);
    });
    try {
      const error = await withTimeout(`a refusal of ${this.label}`, refused);
      return typeof error === "string" ? { message: error } : error;
    } finally {
      socket.disconnect();
    }
  }

  /** The code with which the server refuses the connection. */
  async refusal(server, options) {
    const client = new SocketIoClient(this, this.open(server.url, options));
    try {
      await withTimeout(`a refusal of ${this.label}`, client.connected);
    } catch (refusal) {
      return refusal.message;
    } finally {
      client.close();
    }
    throw new Error("the server accepted a connection that it must refuse");
  }
}

export class SocketIoClient extends Client {
  constructor(clientType, socket) {
    super();
    this.clientType = clientType;
    this.socket = socket;
    for (const event of SERVER_EVENTS) {
      socket.on(event, (data) => {
        assertEvent(event, data);
        this.events.put(event, data);
      });
    }
    /** Resolves with the reason of the disconnect, in the library's words. */
    this.closed = new Promise((resolve) => socket.once("disconnect", resolve));
    this.connected = new Promise((resolve, reject) => {
      const refuse = (error) => reject(new Error(String(error?.message ?? error)));
      socket.once("connect", resolve);
      socket.once("connect_error", refuse);
      // Before 3.x a refusal in "/", which these clients always open, is an "error" in every space.
      socket.io.on("packet", ({ type, nsp, data }) => {
        if (clientType.legacy && type === ERROR && nsp === socket.nsp) refuse(data);
      });
    });
    this.connected.catch(() => {});
  }

  /** The Engine.IO connection, which several spaces may share. */
  get engine() {
    return this.socket.io.engine;
  }

  /** The acknowledgement; the two arguments for `new user` become one object, as on `/ws`. */
  async request(event, data) {
    const [first, rest] = await this.requestRaw(event, data);
    const answer = event === "new user" ? { ok: first, ...rest } : first;
    assertBuiltInAnswer(event, answer);
    return answer;
  }

  /** The arguments of the acknowledgement as they arrived. */
  requestRaw(event, data) {
    const sent = data === undefined ? [] : [data];
    return new Promise((resolve) => this.socket.emit(event, ...sent, (...args) => resolve(args)));
  }

  emit(event, data) {
    this.socket.emit(event, ...(data === undefined ? [] : [data]));
  }

  /** Sends an event of the application with these arguments. */
  requestWith(event, args) {
    return new Promise((resolve) => this.socket.emit(event, ...args, resolve));
  }

  emitWith(event, args) {
    this.socket.emit(event, ...args);
  }

  /** From now on the client receives these events of the application: each is a list of arguments. */
  listenTo(...events) {
    for (const event of events) {
      this.socket.on(event, (...args) => this.events.put(event, args));
    }
    return this;
  }

  /** Answers asks for an event with what `respond` returns for its arguments; `null` is no answer. */
  answerAsks(event, respond) {
    this.socket.on(event, (...args) => {
      const acknowledge = args.pop();
      const answer = respond(args);
      if (answer) acknowledge(...answer);
    });
    return this;
  }

  /** Another space on the same connection. */
  async openSpace(space, auth = {}) {
    const socket = this.clientType.legacy
      ? this.socket.io.socket(space)
      : this.socket.io.socket(space, { auth: handshakeAuth(auth) });
    const client = new SocketIoClient(this.clientType, socket);
    await withTimeout(`space ${space}`, client.connected);
    return client;
  }

  /** Closes the connection with all its spaces. */
  close() {
    this.socket.io.reconnection?.(false);
    this.socket.disconnect();
    (this.socket.io.disconnect ?? this.socket.io._close).call(this.socket.io);
  }

  /** Drops the connection without a close packet. */
  drop() {
    this.engine.close();
  }
}

/** Waits until the client has upgraded from polling to WebSocket. */
export function waitForUpgrade(client) {
  const { engine } = client;
  if (engine.transport.name === "websocket") return Promise.resolve();
  return withTimeout(
    "the upgrade to WebSocket",
    new Promise((resolve) => engine.once("upgrade", resolve)),
  );
}

/** Waits for the server's next heartbeat: its ping, or its pong for clients before 3.x. */
export function waitForHeartbeat(client) {
  // 4.x emits "ping" at the server's ping, 3.x "pong"; before 3.x "ping" is the client's own.
  const event = client.clientType.version === "4.8" ? "ping" : "pong";
  const received = new Promise((resolve) => client.engine.once(event, resolve));
  return withTimeout("a heartbeat", received);
}

/**
 * Options with which a client reconnects quickly by itself and sends the current content of
 * `handshake`: `{ token, device, room, since, epoch }`.
 */
export function reconnectOptions(clientType, handshake) {
  const quickly = { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200 };
  if (!clientType.legacy)
    return { extra: { ...quickly, auth: (send) => send(handshakeAuth(handshake)) } };
  return { extra: quickly, onReturn: () => toQuery(handshake) };
}

/** The parameters of a handshake. */
function handshakeAuth({ token, device, since, epoch, room }) {
  return withoutUndefined({ token, device, since, epoch, room });
}

/** The same as query parameters. */
export function toQuery({ since, ...handshake }) {
  return handshakeAuth({ ...handshake, since: since && formatSince(since) });
}

/** `{ lobby: 41 }` as a query parameter. */
export function formatSince(since) {
  return Object.entries(since)
    .map(([room, seq]) => `${room}:${seq}`)
    .join(",");
}

/** Drops undefined values, which `auth` and queries would send as `null` or "undefined". */
function withoutUndefined(object) {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}

/** The client type of this version and transport. */
export function socketIo(version, transport) {
  return new SocketIoType(version, transport);
}

/** The newest version with `socket.io-msgpack-parser` over each transport. */
export const MSGPACK_SOCKET_IO = Object.keys(TRANSPORTS).map(
  (transport) => new SocketIoType("4.8", transport, msgpackParser),
);

/** The newest version over each transport, then the older ones over each. */
export const ALL_SOCKET_IO = Object.keys(LIBRARIES)
  .sort((a, b) => b - a)
  .flatMap((version) => Object.keys(TRANSPORTS).map((transport) => socketIo(version, transport)));

/** Each transport, both protocol versions, oldest and newest versions. */
export const SOME_SOCKET_IO = [
  socketIo("4.8", "polling"),
  socketIo("4.8", "websocket"),
  socketIo("4.8", "upgrade"),
  socketIo("3.1", "websocket"),
  socketIo("2.5", "upgrade"),
  socketIo("2.3", "polling"),
  socketIo("1.7", "websocket"),
];
