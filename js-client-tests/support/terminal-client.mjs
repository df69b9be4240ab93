// A chat in the terminal, in another language: one of the programs under `examples/clients/`.

import assert from "node:assert/strict";

import { readLines, startProcess } from "./child-process.mjs";
import { EventQueue } from "./event-queue.mjs";
import { withTimeout } from "./timeouts.mjs";

export class TerminalClient {
  /** What the program has printed. */
  events = new EventQueue();
  /** The `seq` of every entry of the room that it has printed, missed or live. */
  seqs = [];
  #child;
  #errors = [];

  /** Starts a program, which is ended with the test. */
  constructor(t, [program, ...args]) {
    this.#child = startProcess(program, args, { stdio: ["pipe", "pipe", "pipe"] });
    this.#child.stdin.on("error", () => {}); // `end` reports a program that has ended by itself
    readLines(this.#child.stderr, (lines) => this.#errors.push(...lines));
    readLines(this.#child.stdout, (lines) => {
      for (const line of lines) this.#take(JSON.parse(line));
    });
    t.after(() => this.#child.kill("SIGKILL"));
  }

  /** Types a line. */
  type(line) {
    this.#child.stdin.write(`${line}\n`);
  }

  /** The next `event` that it prints, for which `where` holds. */
  async next(event, where) {
    try {
      return await this.events.next(event, where);
    } catch (error) {
      throw new Error(`${error.message}\n${this.#errors.join("\n")}`, { cause: error });
    }
  }

  /** Stops the program where it is, as a computer that sleeps. */
  pause() {
    this.#child.kill("SIGSTOP");
  }

  resume() {
    this.#child.kill("SIGCONT");
  }

  /** Ends the input; asserts that the program leaves, and has complained of nothing. */
  async end() {
    this.#child.stdin.end();
    const { code, signal } = await withTimeout("the program's end", this.#child.exited);
    assert.equal(code, 0, `exit by ${signal ?? code}\n${this.#errors.join("\n")}`);
    assert.deepEqual(this.#errors, []);
  }

  #take({ event, data }) {
    if (event === "missed") this.seqs.push(...data.messages.map(({ seq }) => seq));
    if (event === "new message") this.seqs.push(data.seq);
    this.events.put(event, data);
  }
}
