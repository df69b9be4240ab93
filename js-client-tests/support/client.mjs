// What the clients of both transports have in common.

import { EventQueue } from "./event-queue.mjs";
import { TIMEOUT_MS, withTimeout } from "./timeouts.mjs";

/**
 * A connection. Subclasses implement `request`, `requestWith`, `emit`, `emitWith`,
 * `answerAsks` and `close`.
 */
export class Client {
  events = new EventQueue();
  /** Waits until the effects of an acknowledged request have arrived; a cluster replaces it. */
  settle = async () => {};

  /** Sends `data` and waits for the acknowledgement, an object with `ok`. */
  async ask(event, data, timeoutMs = TIMEOUT_MS) {
    const answer = await withTimeout(
      `the acknowledgement of "${event}"`,
      this.request(event, data),
      timeoutMs,
    );
    await this.settle();
    return answer;
  }

  /** Sends an event of the application with any number of arguments, as `ask` does. */
  async askWith(event, args, timeoutMs = TIMEOUT_MS) {
    const answer = await withTimeout(
      `the acknowledgement of "${event}"`,
      this.requestWith(event, args),
      timeoutMs,
    );
    await this.settle();
    return answer;
  }

  /** Sends all requests at once and waits for all acknowledgements. */
  async askAll(event, list, timeoutMs = TIMEOUT_MS) {
    const all = Promise.all(list.map((data) => this.request(event, data)));
    const answers = await withTimeout(
      `${list.length} acknowledgements of "${event}"`,
      all,
      timeoutMs,
    );
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

  /** All received events of a name that were not read yet. */
  take(event) {
    return this.events.take(event);
  }

  /** Takes a name as a guest, and waits for `welcome`. */
  async identify(name) {
    const answer = await this.ask("new user", name);
    if (!answer.ok) throw new Error(`"new user" was refused: ${JSON.stringify(answer)}`);
    return this.waitForWelcome(answer.token);
  }

  /** Waits for `welcome`, and stores the user's name and token. */
  async waitForWelcome(token) {
    this.welcome = await this.next("welcome");
    this.name = this.welcome.user;
    this.token = token ?? this.welcome.token;
    await this.settle();
    return this;
  }
}
