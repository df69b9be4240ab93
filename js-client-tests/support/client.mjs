// What both wires have in common, seen from a test: somebody who asks, tells and hears.

import { Inbox } from "./inbox.mjs";
import { PATIENCE, within } from "./patience.mjs";

/** A connection. Each wire says how to `request`, `tell` and `close`. */
export class Client {
  inbox = new Inbox();
  /** Waits until whatever follows from an answer has happened, where that takes a while. */
  settle = async () => {};

  /** Sends `data` and waits for the answer, an object with `ok`. */
  async ask(event, data, patience = PATIENCE) {
    const answer = await within(`the answer to "${event}"`, this.request(event, data), patience);
    await this.settle();
    return answer;
  }

  /** Sends everything at once and waits for all answers. */
  async askAll(event, list, patience = PATIENCE) {
    const all = Promise.all(list.map((data) => this.request(event, data)));
    const answers = await within(`${list.length} answers to "${event}"`, all, patience);
    await this.settle();
    return answers;
  }

  /** The next `event` for which `where` holds. */
  next(event, where, patience) {
    return this.inbox.next(event, where, patience);
  }

  /** The next `count` events of a name. */
  collect(event, count, patience) {
    return this.inbox.collect(event, count, patience);
  }

  /** Everything of a name that was heard so far and not looked at. */
  take(event) {
    return this.inbox.take(event);
  }

  /** Takes a name as a guest, and its `welcome`. */
  async identify(name) {
    const answer = await this.ask("new user", name);
    if (!answer.ok) throw new Error(`"new user" was refused: ${JSON.stringify(answer)}`);
    return this.welcomed(answer.token);
  }

  /** Waits for `welcome`, and remembers who this is. */
  async welcomed(token) {
    this.welcome = await this.next("welcome");
    this.name = this.welcome.user;
    this.token = token ?? this.welcome.token;
    await this.settle();
    return this;
  }
}
