// A TCP proxy between one node and PostgreSQL or Redis that can fail.
//
// A black hole buffers what is sent into it, like two kernels: bytes in flight arrive when the
// network is back, unless the connection was closed meanwhile.

import { once } from "node:events";
import net from "node:net";
import { PassThrough, Transform } from "node:stream";

/** The two directions, seen from the node. */
const TO_ENGINE = "out";
const FROM_ENGINE = "back";

export class TcpProxy {
  #target;
  #listener;
  #connections = new Set();
  #blackholed = new Set();
  #isCut = false;
  #rewrite;

  /** A proxy for `target`, which has a `port`. `rewrite` changes the bytes that the node sends. */
  constructor(target, rewrite) {
    this.#target = target;
    this.#rewrite = rewrite;
  }

  async start() {
    this.#listener = net.createServer({ allowHalfOpen: true }, (near) => this.#accept(near));
    this.#listener.listen(0, "127.0.0.1");
    await once(this.#listener, "listening");
    return this;
  }

  /** The port that the node connects to. */
  get port() {
    return this.#listener.address().port;
  }

  /** Resets every connection, and each new one. */
  cut() {
    this.#isCut = true;
    for (const it of [...this.#connections]) it.reset();
  }

  /** Drops nothing and delivers nothing: requests, replies, or both when no direction is given. */
  blackhole(...directions) {
    for (const it of directions.length === 0 ? [TO_ENGINE, FROM_ENGINE] : directions)
      this.#blackholed.add(it);
    for (const it of this.#connections) it.apply();
  }

  /** What the node sends does not arrive; what the engine sends does. */
  blackholeRequests() {
    this.blackhole(TO_ENGINE);
  }

  /** The reverse: the engine executes requests, and the replies do not arrive. */
  blackholeReplies() {
    this.blackhole(FROM_ENGINE);
  }

  /** Everything passes again. */
  restore() {
    this.#isCut = false;
    this.#blackholed.clear();
    for (const it of this.#connections) it.apply();
  }

  stop() {
    this.cut();
    this.#listener?.close();
  }

  #accept(near) {
    if (this.#isCut) {
      near.on("error", () => {});
      reset(near);
      return;
    }
    const far = net.connect({ port: this.#target.port, host: "127.0.0.1", allowHalfOpen: true });
    const connection = new ProxiedConnection(near, far, this.#blackholed, this.#rewrite);
    this.#connections.add(connection);
    connection.ended.then(() => this.#connections.delete(connection));
  }
}

/** One connection: its two sockets and both directions. */
class ProxiedConnection {
  #directions;

  constructor(near, far, blackholed, rewrite) {
    const filter = rewrite ? rewriteStream(rewrite) : new PassThrough();
    filter.pipe(far);
    this.#directions = [
      new Direction({ from: near, through: filter, to: far, direction: TO_ENGINE, blackholed }),
      new Direction({ from: far, through: near, to: near, direction: FROM_ENGINE, blackholed }),
    ];
    /** Resolves when both sockets are closed. */
    this.ended = Promise.all([near, far].map((it) => new Promise((end) => it.once("close", end))));
    for (const it of [near, far]) it.setNoDelay();
    this.apply();
  }

  /** Applies the current black holes. */
  apply() {
    for (const it of this.#directions) it.apply();
  }

  reset() {
    for (const it of this.#directions) reset(it.from);
  }
}

/**
 * Resets a connection. One that is just closing is destroyed instead: Node.js 20 cannot reset it
 * (EINVAL), loses the handle, and then its process never exits.
 */
function reset(socket) {
  const isLeaving = socket.writableEnded && !socket.writableFinished;
  if (isLeaving) socket.destroy();
  else socket.resetAndDestroy();
}

/** A stream that rewrites each chunk; small writes on one machine arrive as one chunk. */
function rewriteStream(rewrite) {
  return new Transform({
    transform(chunk, _, done) {
      done(null, rewrite(chunk));
    },
  });
}

/** What flows from one socket to the other. */
class Direction {
  #isBroken = false;
  #isOpen = false;

  constructor({ from, through, to, direction, blackholed }) {
    Object.assign(this, { from, through, to, direction, blackholed });
    from.on("error", () => {});
    from.once("close", (hadError) => {
      this.#isBroken = hadError || !from.readableEnded;
      this.apply();
    });
  }

  apply() {
    if (this.blackholed.has(this.direction)) this.#close();
    else if (this.#isBroken) reset(this.to);
    else if (!this.from.destroyed) this.#open();
  }

  #open() {
    if (!this.#isOpen) this.from.pipe(this.through);
    this.#isOpen = true;
  }

  #close() {
    this.from.unpipe(this.through);
    this.from.pause();
    this.#isOpen = false;
  }
}
