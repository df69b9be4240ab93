// Waiting for conditions that change with events.

import { TIMEOUT_MS, withTimeout } from "./timeouts.mjs";

export class Conditions {
  #checks = new Set();

  /** Checks all awaited conditions; to be called at each event. */
  notify() {
    for (const check of this.#checks) check();
  }

  /** Waits until `condition` holds. */
  async until(what, condition, timeoutMs = TIMEOUT_MS) {
    let check;
    const met = new Promise((resolve) => {
      check = () => condition() && resolve();
    });
    this.#checks.add(check);
    check();
    try {
      await withTimeout(what, met, timeoutMs);
    } finally {
      this.#checks.delete(check);
    }
  }
}
