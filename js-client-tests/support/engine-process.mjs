// The process of an engine that the nodes share, PostgreSQL or Redis, and the faults of such a
// process.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { freePort } from "./free-port.mjs";
import { ManagedProcess } from "./managed-process.mjs";

export class EngineProcess {
  #program;
  #ready;
  #end;

  /**
   * `ready` matches the output of a process that is ready; `end` is the signal that stops it
   * without another write.
   */
  constructor(ready, end) {
    this.#ready = ready;
    this.#end = end;
  }

  /** Creates the folder and chooses the port. */
  async allocate(name) {
    this.home = await mkdtemp(path.join(tmpdir(), `roomcast-${name}-`));
    this.port = await freePort();
  }

  async launch(command, args, options) {
    this.#program = new ManagedProcess(command, args, options);
    await this.startAgain();
  }

  /** Ends the process abruptly, like a power failure. */
  async crash() {
    await this.#program.end(this.#end);
  }

  /** Starts it again with the data that it has written, if it writes any. */
  async startAgain() {
    await this.#program.start(this.#ready);
  }

  async restart() {
    await this.crash();
    await this.startAgain();
  }

  /** Connections stay open, and nothing is answered. */
  pause() {
    this.#program.pause();
  }

  resume() {
    this.#program.resume();
  }

  async stop() {
    if (this.home === undefined) return; // it was never started
    await this.#program?.end(this.#end);
    await rm(this.home, { recursive: true, force: true });
  }
}
