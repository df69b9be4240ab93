// Connections that come back by themselves, to whichever node there is: what an app has.

import { EVENTS } from "./events.mjs";
import { remembering } from "./socket.io.mjs";
import { lasting } from "./ticks.mjs";
import { plain } from "./ws.mjs";

/** How long a client waits before it tries again. */
const RETRY_MS = 150;

/** How long a handshake may take before a client gives it up. */
const HANDSHAKE_MS_MAX = 5000;

/** In which order a client tries the nodes. */
export class Route {
  #nodes;
  #tries;
  #step;
  #isFirst = true;

  /** Some try the node that they were on once more (`stays`), the others go on to the next one. */
  constructor(nodes, home, stays) {
    this.#nodes = nodes;
    this.#step = stays ? 2 : 1;
    this.#tries = home * this.#step;
  }

  /** The node that is next. */
  next() {
    if (!this.#isFirst) this.#tries += 1;
    this.#isFirst = false;
    return this.node;
  }

  /** The node that was tried last. */
  get node() {
    return this.#nodes[Math.floor(this.#tries / this.#step) % this.#nodes.length];
  }
}

/**
 * A line of somebody over `way`. `memory` is what is said at the door, `hear(event, data)` takes in
 * everything, and `down(reason)` is the end of a connection, or of an attempt at one.
 */
export function line(way, route, memory, ears) {
  const Line = way.wire === "ws" ? PlainLine : OfficialLine;
  return new Line(way, route, memory, ears);
}

/** The official client, which comes back by itself but for where the protocol says otherwise. */
class OfficialLine {
  #way;
  #isEnded = false;

  constructor(way, route, memory, { hear, down }) {
    this.#way = way;
    const { extra, ...others } = remembering(way, memory);
    const socket = way.open(route.next().url, {
      ...memory,
      ...others,
      extra: { ...extra, timeout: HANDSHAKE_MS_MAX },
    });
    this.socket = socket;
    for (const event of EVENTS) socket.on(event, (data) => hear(event, data));
    socket.on("disconnect", (reason) => {
      down(reason);
      if (reason === "io server disconnect") this.#tryAgain();
    });
    socket.on(way.old ? "error" : "connect_error", (error) => {
      down(String(error?.message ?? error));
      if (way.old || !socket.active) this.#tryAgain();
    });
    socket.io.on("reconnect_attempt", () => (socket.io.uri = route.next().url));
  }

  request(event, data) {
    return new Promise((resolve) => this.socket.emit(event, data, resolve));
  }

  /** Loses the connection, as a network does. */
  lose() {
    const { engine } = this.socket.io;
    const { ws } = engine.transport;
    if (ws) ws.terminate();
    else engine.close();
  }

  /** Leaves for good. */
  end() {
    this.#isEnded = true;
    this.socket.io.reconnection(false);
    this.socket.disconnect();
    (this.socket.io.disconnect ?? this.socket.io._close).call(this.socket.io);
  }

  /** After a refusal of the space the official client waits to be told. */
  async #tryAgain() {
    await lasting(RETRY_MS);
    if (this.#isEnded || this.socket.connected) return;
    if (this.#way.old)
      this.socket.io.engine.close(); // and then it comes back
    else this.socket.connect();
  }
}

/** Of plain ones everybody writes their own. */
class PlainLine {
  #client;
  #isEnded = false;

  constructor(_, route, memory, ears) {
    this.#live(route, memory, ears);
  }

  request(event, data) {
    return this.#client.request(event, data);
  }

  lose() {
    this.#client.vanish();
  }

  end() {
    this.#isEnded = true;
    this.#client?.close();
  }

  async #live(route, memory, { hear, down }) {
    const extra = { handshakeTimeout: HANDSHAKE_MS_MAX };
    while (!this.#isEnded) {
      try {
        this.#client = await plain.connect(route.next(), { ...memory, extra });
        if (this.#isEnded) this.#client.close();
        this.#client.inbox.listenFromStart(hear);
        const { code } = await this.#client.gone;
        down(`close code ${code}`);
      } catch (refusal) {
        refusal.resume?.();
        down(refusal.statusCode ? `HTTP ${refusal.statusCode}` : refusal.message);
      }
      if (!this.#isEnded) await lasting(RETRY_MS);
    }
  }
}
