// What both wires have in common, seen from a test: somebody who asks, tells and hears.

import { EventQueue } from "./event-queue.mjs";
import { TIMEOUT_MS, withTimeout } from "./timeouts.mjs";

/** A connection. Each wire says how to `request`, `tell` and `close`. */
export class Client {
  events = new EventQueue();
  /** Waits until whatever follows from an answer has happened, where that takes a while. */
  settle = async () => {};

  /** Sends `data` and waits for the answer, an object with `ok`. */
  async ask(event, data, timeoutMs = TIMEOUT_MS) {
    const answer = await withTimeout(
      `the answer to "${event}"`,
      this.request(event, data),
      timeoutMs,
    );
    await this.settle();
    return answer;
  }

  /** Sends everything at once and waits for all answers. */
  async askAll(event, list, timeoutMs = TIMEOUT_MS) {
    const all = Promise.all(list.map((data) => this.request(event, data)));
    const answers = await withTimeout(`${list.length} answers to "${event}"`, all, timeoutMs);
    await this.settle();
    return answers;
  }

  /** The next `event` for which `where` holds. */
  next(event, where, timeoutMs) {
    return this.events.next(event, where, timeoutMs);
  }

  /** The next `count` events of a name. */
  collect(event, count, timeoutMs) {
    return this.events.collect(event, count, timeoutMs);
  }

  /** Everything of a name that was heard so far and not looked at. */
  take(event) {
    return this.events.take(event);
  }

  /** Takes a name as a guest, and its `welcome`. */
  async identify(name) {
    const answer = await this.ask("new user", name);
    if (!answer.ok) throw new Error(`"new user" was refused: ${JSON.stringify(answer)}`);
    return this.waitForWelcome(answer.token);
  }

  /** Waits for `welcome`, and remembers who this is. */
  async waitForWelcome(token) {
    this.welcome = await this.next("welcome");
    this.name = this.welcome.user;
    this.token = token ?? this.welcome.token;
    await this.settle();
    return this;
  }
}
