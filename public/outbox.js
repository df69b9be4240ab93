// Outgoing messages: each is sent under one id until the server acknowledges it.
//
// A conversation has one message in flight at a time, so that after a temporary refusal like
// `too_fast` no later message overtakes. Nothing is sent while the page is offline: Socket.IO's own
// buffer would send it a second time.

import { newId } from "./id.js";
import { isTemporary, refusal } from "./words.js";

const RETRY_WAIT_MS = 1_000;

/**
 * `sent(entry, answer)` receives what the server stored, `changed()` is called when the list
 * changes. `unsent` are the messages that were stored before a reload.
 */
export function makeOutbox({ unsent, request, isOnline, sent, changed }) {
  let entries = unsent.map((it) => ({ ...it, busy: false }));

  /** `body` is a text, or an object with bytes. */
  function add(key, body) {
    const at = new Date().toISOString();
    entries.push({ key, body, at, id: newId(), failed: null, problem: "", busy: false });
    flush();
  }

  /** Sends the first message of every conversation without one in flight. */
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

  /** Sends once; returns how long to wait before the next message. */
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
    } else if (isTemporary(answer.code)) {
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
    // Bytes are not kept across a reload: the tab's storage holds only texts.
    unsent: () => entries.filter(({ body }) => typeof body === "string").map(withoutState),
  };
}

const withoutState = ({ busy: _, ...entry }) => entry;
