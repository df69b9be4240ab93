// Clients in a thread of their own, which measure the latency of the messages that they receive.
//
// The generator's thread reads hundreds of sockets one after the other: a latency measured there
// would be its own.

import { once } from "node:events";
import { Worker } from "node:worker_threads";

/** One client in each of `rooms`, or in `lobby` where a room is undefined. */
export class Observers {
  #worker;

  constructor(worker) {
    this.#worker = worker;
    worker.unref(); // after a failed measurement it may still run
    worker.on("error", () => {}); // `once` reports it
  }

  static async connect({ port, wire, rooms }) {
    const file = new URL("observer-thread.mjs", import.meta.url);
    const observers = new Observers(new Worker(file, { workerData: { port, wire, rooms } }));
    await observers.#reply();
    return observers;
  }

  /** The first one sends at a steady rate; resolves when all have received everything. */
  converse(perSecond, seconds) {
    return this.#ask({ perSecond, seconds });
  }

  /** The latencies in milliseconds since the last call. Waits until `count` have been measured. */
  latencies(count) {
    return this.#ask({ count });
  }

  async close() {
    await this.#worker.terminate();
  }

  #ask(request) {
    this.#worker.postMessage(request);
    return this.#reply();
  }

  async #reply() {
    const [reply] = await once(this.#worker, "message");
    return reply;
  }
}
