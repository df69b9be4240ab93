// What a client heard and no test has looked at yet, by event.
//
// Everything is kept from the first byte on, so no test can miss an event by listening late.

import { TIMEOUT_MS, withTimeout } from "./timeouts.mjs";

export class EventQueue {
  #unread = new Map();
  #waiting = new Set();
  #count = 0;
  #listener = () => {};

  /** Takes in what came from the server. */
  put(event, data) {
    this.#listener(event, data);
    this.#of(event).push({ place: this.#count++, data });
    for (const wait of this.#waiting) if (wait.events.includes(event)) wait.look();
  }

  /** The earliest unread `event` for which `where` holds; those around it stay unread. */
  next(event, where = () => true, timeoutMs = TIMEOUT_MS) {
    return this.#wait([event], timeoutMs, () => {
      const unread = this.#of(event);
      const at = unread.findIndex(({ data }) => where(data));
      return at < 0 ? undefined : { found: unread.splice(at, 1)[0].data };
    });
  }

  /** The earliest unread of several events: `{ event, data }`. */
  nextOf(events, timeoutMs = TIMEOUT_MS) {
    return this.#wait(events, timeoutMs, () => {
      const place = (event) => this.#of(event)[0]?.place ?? Infinity;
      const [event] = [...events].sort((a, b) => place(a) - place(b));
      return place(event) === Infinity
        ? undefined
        : { found: { event, data: this.#of(event).shift().data } };
    });
  }

  /** The earliest `count` unread events of a name, in the order in which they came. */
  collect(event, count, timeoutMs = TIMEOUT_MS) {
    return this.#wait([event], timeoutMs, () => {
      const unread = this.#of(event);
      return unread.length < count
        ? undefined
        : { found: unread.splice(0, count).map(({ data }) => data) };
    });
  }

  /** Everything unread of a name, without waiting. */
  take(event) {
    return this.#of(event)
      .splice(0)
      .map(({ data }) => data);
  }

  /** Hears everything from now on as it comes, whether or not a test looks at it. */
  listen(listener) {
    this.#listener = listener;
  }

  /** The same, after what came before now and is unread, in the order in which it came. */
  listenFromStart(listener) {
    const came = [...this.#unread].flatMap(([event, list]) => list.map((it) => ({ event, ...it })));
    came.sort((a, b) => a.place - b.place);
    for (const { event, data } of came) listener(event, data);
    this.listen(listener);
  }

  /** How many of a name are unread. */
  count(event) {
    return this.#of(event).length;
  }

  #of(event) {
    if (!this.#unread.has(event)) this.#unread.set(event, []);
    return this.#unread.get(event);
  }

  /** Looks now and whenever one of `events` comes, until there is a result. */
  async #wait(events, timeoutMs, attempt) {
    const wait = { events };
    const found = new Promise((resolve) => {
      wait.look = () => {
        const result = attempt();
        if (!result) return;
        this.#waiting.delete(wait);
        resolve(result.found);
      };
    });
    this.#waiting.add(wait);
    wait.look();
    const here = events.map((it) => `"${it}" (${this.count(it)} are here)`).join(" or ");
    try {
      return await withTimeout(here, found, timeoutMs);
    } finally {
      this.#waiting.delete(wait);
    }
  }
}
