// Connections that reconnect by themselves to the next node, like an application's.

import { SERVER_EVENTS } from "./server-events.mjs";
import { reconnectOptions } from "./socket.io.mjs";
import { delay } from "./timers.mjs";
import { wsJson } from "./ws.mjs";

/** How long a client waits before it reconnects. */
const RETRY_MS = 150;

/** The timeout of a handshake. */
const HANDSHAKE_MS_MAX = 5000;

/** The order in which a client tries the nodes. */
export class NodeRotation {
  #nodes;
  #tries;
  #step;
  #isFirst = true;

  /** With `stays`, a client tries its node once more before it goes on to the next one. */
  constructor(nodes, home, stays) {
    this.#nodes = nodes;
    this.#step = stays ? 2 : 1;
    this.#tries = home * this.#step;
  }

  /** The next node. */
  next() {
    if (!this.#isFirst) this.#tries += 1;
    this.#isFirst = false;
    return this.node;
  }

  /** The node of the last attempt. */
  get node() {
    return this.#nodes[Math.floor(this.#tries / this.#step) % this.#nodes.length];
  }
}

/**
 * A connection of this type that reconnects. `handshake` is sent at each attempt, `onEvent(event,
 * data)` receives every event, and `onDisconnect(reason)` is called at the end of a connection or
 * of a failed attempt.
 */
export function openReconnecting(clientType, rotation, handshake, handlers) {
  const Line = clientType.wire === "ws" ? ReconnectingWs : ReconnectingSocketIo;
  return new Line(clientType, rotation, handshake, handlers);
}

/** The official client, which reconnects by itself except where the protocol says otherwise. */
class ReconnectingSocketIo {
  #clientType;
  #isStopped = false;

  constructor(clientType, rotation, handshake, { onEvent, onDisconnect }) {
    this.#clientType = clientType;
    const { extra, ...others } = reconnectOptions(clientType, handshake);
    const socket = clientType.open(rotation.next().url, {
      ...handshake,
      ...others,
      extra: { ...extra, timeout: HANDSHAKE_MS_MAX },
    });
    this.socket = socket;
    for (const event of SERVER_EVENTS) socket.on(event, (data) => onEvent(event, data));
    socket.on("disconnect", (reason, details) => {
      onDisconnect(`${reason}${statusOf(details)}`);
      if (reason === "io server disconnect") this.#retry();
    });
    socket.on(clientType.legacy ? "error" : "connect_error", (error) => {
      onDisconnect(`${error?.message ?? error}${statusOf(error)}`);
      if (clientType.legacy || !socket.active) this.#retry();
    });
    socket.io.on("reconnect_attempt", () => (socket.io.uri = rotation.next().url));
  }

  request(event, data) {
    return new Promise((resolve) => this.socket.emit(event, data, resolve));
  }

  /** Drops the connection without a close frame. */
  drop() {
    const { engine } = this.socket.io;
    const { ws } = engine.transport;
    if (ws) ws.terminate();
    else engine.close();
  }

  /** Disconnects for good. */
  stop() {
    this.#isStopped = true;
    this.socket.io.reconnection(false);
    this.socket.disconnect();
    (this.socket.io.disconnect ?? this.socket.io._close).call(this.socket.io);
  }

  /** After a refusal of the space the official client reconnects only when it is called. */
  async #retry() {
    await delay(RETRY_MS);
    if (this.#isStopped || this.socket.connected) return;
    if (this.#clientType.legacy)
      this.socket.io.engine.close(); // the client then reconnects by itself
    else this.socket.connect();
  }
}

/** The status of the HTTP answer that an error of the official client is about, 0 without an answer. */
function statusOf(error) {
  return Number.isInteger(error?.description) ? ` (HTTP ${error.description})` : "";
}

/** Plain WebSocket, with reconnection as an application implements it. */
class ReconnectingWs {
  #client;
  #isStopped = false;

  constructor(_, rotation, handshake, handlers) {
    this.#run(rotation, handshake, handlers);
  }

  request(event, data) {
    return this.#client.request(event, data);
  }

  drop() {
    this.#client.drop();
  }

  stop() {
    this.#isStopped = true;
    this.#client?.close();
  }

  async #run(rotation, handshake, { onEvent, onDisconnect }) {
    const extra = { handshakeTimeout: HANDSHAKE_MS_MAX };
    while (!this.#isStopped) {
      try {
        this.#client = await wsJson.connect(rotation.next(), { ...handshake, extra });
        if (this.#isStopped) this.#client.close();
        this.#client.events.listenFromStart(onEvent);
        const { code } = await this.#client.closed;
        onDisconnect(`close code ${code}`);
      } catch (refusal) {
        refusal.resume?.();
        onDisconnect(refusal.statusCode ? `HTTP ${refusal.statusCode}` : refusal.message);
      }
      if (!this.#isStopped) await delay(RETRY_MS);
    }
  }
}
