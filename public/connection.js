// The Socket.IO connection: connects, sends requests, and reconnects.

import { learn } from "./names.js";
import { isTemporary } from "./words.js";

const ANSWER_WAIT_MS = 10_000;
const RETURN_WAIT_MS = 500;
const RETURN_WAIT_MAX_MS = 5_000;
const RETURN_JITTER = 0.5;
const RETRY_WAIT_MS = 2_000;
const TRIES_MAX = 5;

/**
 * `greeting` returns the connect parameters, or null without a user; the session cookie identifies
 * the user. `connected()` is called after each connect, `received(event, data)` for every event,
 * `linked(link)` when the state of the connection changes, and `refused(code, message)` for a
 * refusal.
 */
export function makeConnection(io, { greeting, connected, received, linked, refused }) {
  const socket = io({
    autoConnect: false,
    auth: (send) => send(greeting() ?? {}),
    reconnectionDelay: RETURN_WAIT_MS,
    reconnectionDelayMax: RETURN_WAIT_MAX_MS,
    randomizationFactor: RETURN_JITTER,
  });
  let mayNotReconnect = false; // the server asked not to reconnect

  socket.onAny(received);

  socket.on("connect", () => {
    waitForReturn(RETURN_WAIT_MS, RETURN_JITTER);
    connected();
  });

  socket.on("disconnect", (reason) => {
    if (reason === "io client disconnect") return;
    mayNotReconnect = reason === "io server disconnect";
    linked(navigator.onLine && socket.active ? "reconnecting" : "offline");
  });

  socket.on("connect_error", ({ message: code, data }) => {
    if (socket.active) {
      linked(navigator.onLine ? "reconnecting" : "offline");
    } else if (isTemporary(code)) {
      linked("reconnecting");
      setTimeout(reconnectNow, data?.retryAfterMs ?? RETRY_WAIT_MS);
    } else {
      refused(code, data?.message);
    }
  });

  // The server spreads the returns of its clients: the first wait has no jitter of its own.
  socket.on("closing", ({ afterMs }) => {
    if (afterMs > 0) waitForReturn(afterMs, 0);
  });
  socket.io.on("reconnect_attempt", () => waitForReturn(RETURN_WAIT_MS, RETURN_JITTER));

  addEventListener("offline", () => greeting() && linked("offline"));
  addEventListener("online", reconnectNow);

  function waitForReturn(delayMs, jitter) {
    const { io: manager } = socket;
    manager.reconnectionDelay(delayMs);
    manager.reconnectionDelayMax(Math.max(delayMs, RETURN_WAIT_MAX_MS));
    manager.randomizationFactor(jitter);
  }

  function reconnectNow() {
    if (greeting() && !mayNotReconnect) connect();
  }

  /** The server reads the cookie at each connect, so a new session replaces the old one. */
  function connect() {
    mayNotReconnect = false;
    if (!socket.connected) socket.disconnect().connect();
  }

  /** Resolves with the answer to `event`, or rejects without one. Never waits for a connection. */
  async function request(event, data) {
    if (!socket.connected) throw new Error("not connected");
    const answer = await socket.timeout(ANSWER_WAIT_MS).emitWithAck(event, data);
    learn(answer);
    return answer;
  }

  /** Like `request`, but retries temporary refusals. */
  async function ask(event, data) {
    for (let tries = 1; ; tries += 1) {
      const answer = await request(event, data);
      if (answer.ok || !isTemporary(answer.code) || tries === TRIES_MAX) return answer;
      await new Promise((resolve) => {
        setTimeout(resolve, answer.retryAfterMs ?? RETRY_WAIT_MS);
      });
    }
  }

  return { request, ask, connect, disconnect: () => socket.disconnect() };
}
