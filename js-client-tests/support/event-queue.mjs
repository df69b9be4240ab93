// The events that a client has received and no test has read yet, by name.
//
// Events are kept from the first byte on, so that no test can miss one by waiting for it late.

import { TIMEOUT_MS, withTimeout } from "./timeouts.mjs";

export class EventQueue {
  #unread = new Map();
  #waiting = new Set();
  #count = 0;
  #listener = () => {};

  /** Adds an event from the server. */
  put(event, data) {
    this.#listener(event, data);
    this.#of(event).push({ place: this.#count++, data });
    for (const wait of this.#waiting) if (wait.events.includes(event)) wait.check();
  }

  /** The earliest unread `event` for which `where` holds; the others stay unread. */
  next(event, where = () => true, timeoutMs = TIMEOUT_MS) {
    return this.#wait([event], timeoutMs, () => {
      const unread = this.#of(event);
      const at = unread.findIndex(({ data }) => where(data));
      return at < 0 ? undefined : { found: unread.splice(at, 1)[0].data };
    });
  }

  /** The earliest unread event of several names: `{ event, data }`. */
  nextOf(events, timeoutMs = TIMEOUT_MS) {
    return this.#wait(events, timeoutMs, () => {
      const place = (event) => this.#of(event)[0]?.place ?? Infinity;
      const [event] = [...events].sort((a, b) => place(a) - place(b));
      return place(event) === Infinity
        ? undefined
        : { found: { event, data: this.#of(event).shift().data } };
    });
  }

  /** The earliest `count` unread events of a name, in the order of arrival. */
  collect(event, count, timeoutMs = TIMEOUT_MS) {
    return this.#wait([event], timeoutMs, () => {
      const unread = this.#of(event);
      return unread.length < count
        ? undefined
        : { found: unread.splice(0, count).map(({ data }) => data) };
    });
  }

  /** All unread events of a name, without waiting. */
  take(event) {
    return this.#of(event)
      .splice(0)
      .map(({ data }) => data);
  }

  /** Calls `listener` for every event from now on, also for those that a test reads. */
  listen(listener) {
    this.#listener = listener;
  }

  /** The same, after the unread events that arrived before, in their order. */
  listenFromStart(listener) {
    const came = [...this.#unread].flatMap(([event, list]) => list.map((it) => ({ event, ...it })));
    came.sort((a, b) => a.place - b.place);
    for (const { event, data } of came) listener(event, data);
    this.listen(listener);
  }

  /** How many events of a name are unread. */
  count(event) {
    return this.#of(event).length;
  }

  #of(event) {
    if (!this.#unread.has(event)) this.#unread.set(event, []);
    return this.#unread.get(event);
  }

  /** Tries now and at each of `events`, until there is a result. */
  async #wait(events, timeoutMs, attempt) {
    const wait = { events };
    const found = new Promise((resolve) => {
      wait.check = () => {
        const result = attempt();
        if (!result) return;
        this.#waiting.delete(wait);
        resolve(result.found);
      };
    });
    this.#waiting.add(wait);
    wait.check();
    const here = events.map((it) => `"${it}" (${this.count(it)} unread)`).join(" or ");
    try {
      return await withTimeout(here, found, timeoutMs);
    } finally {
      this.#waiting.delete(wait);
    }
  }
}
