// A server program that a test starts and ends.

import { readdirSync, readFileSync } from "node:fs";

import { readLines, startProcess } from "./child-process.mjs";
import { withTimeout } from "./timeouts.mjs";

/** A program that runs until it is ended. */
export class ManagedProcess {
  /** Its output, of all starts together. */
  log = [];
  #child;

  constructor(program, args, options = {}) {
    this.program = program;
    this.args = args;
    this.options = options;
  }

  /** Starts it, and waits for the line that matches `ready`. */
  async start(ready) {
    const child = startProcess(this.program, this.args, {
      stdio: ["ignore", "pipe", "pipe"],
      ...this.options,
    });
    this.#child = child;
    const line = new Promise((resolve) => {
      for (const stream of [child.stdout, child.stderr]) {
        readLines(stream, (lines) => {
          this.log.push(...lines);
          if (lines.some((it) => ready.test(it))) resolve();
        });
      }
    });
    const end = child.exited.then(({ code, signal, error }) => {
      throw error ?? new Error(`${this.program} ended: ${signal ?? code}\n${this.log.join("\n")}`);
    });
    end.catch(() => {});
    await withTimeout(`${this.program} to be ready`, Promise.race([line, end]));
    return this;
  }

  /** Sends a signal and waits for the exit. */
  async end(signal) {
    if (this.#child === undefined) return;
    this.resume();
    this.#child.kill(signal);
    await withTimeout(`the exit of ${this.program} by ${signal}`, this.#child.exited);
    this.#child = undefined;
  }

  /** Stops the process and its children with SIGSTOP. */
  pause() {
    this.#child.kill("SIGSTOP"); // first, so that it starts no more children
    for (const pid of this.#children()) sendSignal(pid, "SIGSTOP");
  }

  /** Continues them. */
  resume() {
    for (const pid of this.#children()) sendSignal(pid, "SIGCONT");
    this.#child.kill("SIGCONT");
  }

  #children() {
    const { pid } = this.#child;
    try {
      return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean);
    } catch {
      return []; // it has exited
    }
  }
}

/** A program in Debian's versioned folder, the newest version. */
export function newestDebianBinary(folder, program) {
  const versions = readdirSync(folder).map(Number).filter(Number.isInteger);
  return `${folder}/${Math.max(...versions)}/bin/${program}`;
}

/** Sends a signal to a process that may have exited meanwhile. */
function sendSignal(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}
