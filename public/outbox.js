// Messages on their way: each is sent under one id until the server answers it.
//
// A conversation has one message in flight at a time, so that a refusal that passes, like
// `too_fast`, cannot let a later message overtake. Nothing is sent while the page is offline:
// Socket.IO's own buffer would send it a second time.

import { newId } from "./id.js";
import { passes, refusal } from "./words.js";

const RETRY_WAIT_MS = 1_000;

/**
 * `sent(entry, answer)` takes what the server stored, `changed()` says that the list is another.
 * `unsent` is what an earlier life of the page left.
 */
export function makeOutbox({ unsent, request, isOnline, sent, changed }) {
  let entries = unsent.map((it) => ({ ...it, busy: false }));

  /** `body` is a text, or an object with bytes in it. */
  function add(key, body) {
    const at = new Date().toISOString();
    entries.push({ key, body, at, id: newId(), failed: null, problem: "", busy: false });
    flush();
  }

  /** Sends the first message of every conversation that has none in flight. */
  function flush() {
    changed();
    if (!isOnline()) return;
    const seen = new Set();
    for (const entry of entries) {
      if (entry.failed || seen.has(entry.key)) continue;
      seen.add(entry.key);
      if (!entry.busy) void send(entry);
    }
  }

  async function send(entry) {
    entry.busy = true;
    const wait = await attempt(entry);
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    entry.busy = false;
    flush();
  }

  /** Asks the server once; the answer is how long to wait before the next message. */
  async function attempt(entry) {
    const { id, key, body } = entry;
    const name = key.slice(5);
    let answer;
    try {
      answer = key.startsWith("room:")
        ? await request("send message", { room: name, msg: body, id })
        : await request("SingleChat", { to: name, data: body, id });
    } catch {
      return isOnline() ? RETRY_WAIT_MS : 0;
    }
    if (!entries.includes(entry)) return 0;
    if (answer.ok) {
      discard(entry);
      sent(entry, answer);
    } else if (passes(answer.code)) {
      return answer.retryAfterMs ?? RETRY_WAIT_MS;
    } else {
      entry.failed = answer.code;
      entry.problem = refusal(answer.code, answer.message);
    }
    return 0;
  }

  function retry(entry) {
    if (entry.failed === "conflict") entry.id = newId();
    entry.failed = null;
    flush();
  }

  function discard(entry) {
    entries = entries.filter((it) => it !== entry);
    changed();
  }

  return {
    add,
    flush,
    retry,
    discard,
    in: (key) => entries.filter((it) => it.key === key),
    drop: (key) => {
      entries = entries.filter((it) => it.key !== key);
    },
    clear: () => {
      entries = [];
    },
    // Bytes do not outlive the page: there is no room for them where texts are kept.
    unsent: () => entries.filter(({ body }) => typeof body === "string").map(withoutState),
  };
}

const withoutState = ({ busy: _, ...entry }) => entry;
