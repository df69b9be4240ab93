// The network between one node and one engine, as a TCP proxy that can fail.
//
// A black hole keeps what is sent into it, as two kernels do: what was on its way arrives when the
// network is back, unless the connection was given up meanwhile.

import { once } from "node:events";
import net from "node:net";
import { PassThrough, Transform } from "node:stream";

/** The two directions, seen from the node. */
const OUT = "out";
const BACK = "back";

export class Link {
  #target;
  #listener;
  #pairs = new Set();
  #holes = new Set();
  #isCut = false;
  #translate;

  /** A way to `target`, which has a `port`. What the node sends passes `translate`, if given. */
  constructor(target, translate) {
    this.#target = target;
    this.#translate = translate;
  }

  async start() {
    this.#listener = net.createServer({ allowHalfOpen: true }, (near) => this.#accept(near));
    this.#listener.listen(0, "127.0.0.1");
    await once(this.#listener, "listening");
    return this;
  }

  /** Where the node finds the engine. */
  get port() {
    return this.#listener.address().port;
  }

  /** Resets every connection, and each new one. */
  cut() {
    this.#isCut = true;
    for (const it of [...this.#pairs]) it.reset();
  }

  /** Nothing arrives any more: what the node sends, what the engine sends, or neither. */
  swallow(...directions) {
    for (const it of directions.length === 0 ? [OUT, BACK] : directions) this.#holes.add(it);
    for (const it of this.#pairs) it.heed();
  }

  /** What the node sends does not arrive; what the engine sends does. */
  swallowRequests() {
    this.swallow(OUT);
  }

  /** The reverse: the engine does what it is told, and nobody hears of it. */
  swallowAnswers() {
    this.swallow(BACK);
  }

  /** Everything passes again. */
  heal() {
    this.#isCut = false;
    this.#holes.clear();
    for (const it of this.#pairs) it.heed();
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
    const pair = new Pair(near, far, this.#holes, this.#translate);
    this.#pairs.add(pair);
    pair.ended.then(() => this.#pairs.delete(pair));
  }
}

/** One connection: its two sockets, and what passes between them. */
class Pair {
  #ways;

  constructor(near, far, holes, translate) {
    const filter = translate ? translated(translate) : new PassThrough();
    filter.pipe(far);
    this.#ways = [
      new OneWay({ from: near, through: filter, to: far, direction: OUT, holes }),
      new OneWay({ from: far, through: near, to: near, direction: BACK, holes }),
    ];
    /** Resolves when both sockets are closed. */
    this.ended = Promise.all([near, far].map((it) => new Promise((end) => it.once("close", end))));
    for (const it of [near, far]) it.setNoDelay();
    this.heed();
  }

  /** Looks at the holes again. */
  heed() {
    for (const it of this.#ways) it.heed();
  }

  reset() {
    for (const it of this.#ways) reset(it.from);
  }
}

/**
 * Ends a connection at once. One that says goodbye just now is closed instead: Node.js 20 cannot
 * reset it, loses it over that (EINVAL), and then its process never ends.
 */
function reset(socket) {
  const isLeaving = socket.writableEnded && !socket.writableFinished;
  if (isLeaving) socket.destroy();
  else socket.resetAndDestroy();
}

/** A stream that changes what passes; a chunk is a whole, as small writes on one machine are. */
function translated(translate) {
  return new Transform({
    transform(chunk, _, done) {
      done(null, translate(chunk));
    },
  });
}

/** What goes from one socket to the other. */
class OneWay {
  #isBroken = false;
  #isOpen = false;

  constructor({ from, through, to, direction, holes }) {
    Object.assign(this, { from, through, to, direction, holes });
    from.on("error", () => {});
    from.once("close", (hadError) => {
      this.#isBroken = hadError || !from.readableEnded;
      this.heed();
    });
  }

  heed() {
    if (this.holes.has(this.direction)) this.#close();
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
