// A server of the test's own that keeps or carries what several nodes share, and what happens to it.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { freePort } from "./free-port.mjs";
import { ManagedProcess } from "./managed-process.mjs";

export class EngineProcess {
  #program;
  #ready;
  #end;

  /** `ready` is what the server prints when it is; `end`, the signal after which nothing is written. */
  constructor(ready, end) {
    this.#ready = ready;
    this.#end = end;
  }

  /** Gives it a folder and a port. */
  async allocate(name) {
    this.home = await mkdtemp(path.join(tmpdir(), `roomcast-${name}-`));
    this.port = await freePort();
  }

  async launch(command, args, options) {
    this.#program = new ManagedProcess(command, args, options);
    await this.startAgain();
  }

  /** The end of the server in the middle of everything, as of a machine that loses its power. */
  async crash() {
    await this.#program.end(this.#end);
  }

  /** It comes back with what it wrote down, if it writes anything down. */
  async startAgain() {
    await this.#program.start(this.#ready);
  }

  async restart() {
    await this.crash();
    await this.startAgain();
  }

  /** Connections stay, and nothing is answered. */
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
