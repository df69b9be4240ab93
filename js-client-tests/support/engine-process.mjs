// The process of an engine that the nodes share, PostgreSQL or Redis, and the faults of such a
// process.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { freePort } from "./free-port.mjs";
import { ManagedProcess } from "./managed-process.mjs";

/** Subclasses name the program in `launchCommand`, and may prepare the engine in `initialize`. */
export class EngineProcess {
  #name;
  #ready;
  #end;
  #process;

  /**
   * `ready` matches the output of a process that is ready; `end` is the signal that stops it
   * without another write.
   */
  constructor({ name, ready, end }) {
    this.#name = name;
    this.#ready = ready;
    this.#end = end;
  }

  /** Creates the folder, chooses the port, and starts the process. */
  async start() {
    this.home = await mkdtemp(path.join(tmpdir(), `roomcast-${this.#name}-`));
    this.port = await freePort();
    const { program, args, options } = await this.launchCommand();
    this.#process = new ManagedProcess(program, args, options);
    await this.startAgain();
    await this.initialize();
    return this;
  }

  async initialize() {}

  /** Ends the process abruptly, like a power failure. */
  async crash() {
    await this.#process.end(this.#end);
  }

  /** Starts it again with the data that it has written, if it writes any. */
  async startAgain() {
    await this.#process.start(this.#ready);
  }

  async restart() {
    await this.crash();
    await this.startAgain();
  }

  /** Connections stay open, and nothing is answered. */
  pause() {
    this.#process.pause();
  }

  resume() {
    this.#process.resume();
  }

  async stop() {
    if (this.home === undefined) return; // it was never started
    await this.#process?.end(this.#end);
    await rm(this.home, { recursive: true, force: true });
  }
}
