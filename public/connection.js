// The Socket.IO connection: comes, asks, and comes back.

import { passes } from "./words.js";

const ANSWER_WAIT_MS = 10_000;
const RETURN_WAIT_MS = 500;
const RETURN_WAIT_MAX_MS = 5_000;
const RETRY_WAIT_MS = 2_000;
const TRIES_MAX = 5;

/**
 * `greeting` gives `{device, since}`, or nothing when nobody is signed in; who it is says the
 * session's cookie. `connected()` is called when the server let us in, `heard(event, data)` takes
 * every event, `linked(link)` the state of the connection and `refused(code, message)` a refusal.
 */
export function makeConnection(io, { greeting, connected, heard, linked, refused }) {
  const socket = io({
    autoConnect: false,
    auth: (send) => send(greeting() ?? {}),
    reconnectionDelay: RETURN_WAIT_MS,
    reconnectionDelayMax: RETURN_WAIT_MAX_MS,
  });
  let isTold = false; // to stay away, until somebody says otherwise

  socket.onAny(heard);

  socket.on("connect", () => {
    socket.io.reconnectionDelay(RETURN_WAIT_MS);
    connected();
  });

  socket.on("disconnect", (reason) => {
    if (reason === "io client disconnect") return;
    isTold = reason === "io server disconnect";
    linked(navigator.onLine && socket.active ? "reconnecting" : "offline");
  });

  socket.on("connect_error", ({ message: code, data }) => {
    if (socket.active) {
      linked(navigator.onLine ? "reconnecting" : "offline");
    } else if (passes(code)) {
      linked("reconnecting");
      setTimeout(comeAgain, data?.retryAfterMs ?? RETRY_WAIT_MS);
    } else {
      refused(code, data?.message);
    }
  });

  // The client's jitter may halve the wait, so that twice the wish is not too early.
  socket.on("closing", ({ afterMs }) => {
    if (afterMs > 0) socket.io.reconnectionDelay(Math.min(2 * afterMs, RETURN_WAIT_MAX_MS));
  });

  addEventListener("offline", () => greeting() && linked("offline"));
  addEventListener("online", comeAgain);

  function comeAgain() {
    if (greeting() && !isTold) connect();
  }

  /** The cookie is read when a connection begins: a new one takes the place of what there was. */
  function connect() {
    isTold = false;
    if (!socket.connected) socket.disconnect().connect();
  }

  /** The answer to `event`, or an error when there is none. Never waits for a connection. */
  function request(event, data) {
    if (!socket.connected) return Promise.reject(new Error("not connected"));
    return socket.timeout(ANSWER_WAIT_MS).emitWithAck(event, data);
  }

  /** Like `request`, but asks again when the refusal is one that passes. */
  async function ask(event, data) {
    for (let tries = 1; ; tries += 1) {
      const answer = await request(event, data);
      if (answer.ok || !passes(answer.code) || tries === TRIES_MAX) return answer;
      await new Promise((resolve) => {
        setTimeout(resolve, answer.retryAfterMs ?? RETRY_WAIT_MS);
      });
    }
  }

  return { request, ask, connect, disconnect: () => socket.disconnect() };
}
