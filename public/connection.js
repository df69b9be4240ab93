// The Socket.IO connection: comes, identifies, asks, and comes back.

import { passes } from "./words.js";

const ANSWER_WAIT_MS = 10_000;
const RETURN_WAIT_MS = 500;
const RETURN_WAIT_MAX_MS = 5_000;
const RETRY_WAIT_MS = 2_000;
const TRIES_MAX = 5;

/**
 * `identity` gives `{token, since}`, or nothing for somebody without a token.
 * `heard(event, data)` takes every event, `linked(link)` the state of the connection and
 * `refused(code, message)` a refusal of the token.
 */
export function makeConnection(io, { identity, heard, linked, refused }) {
  const socket = io({
    autoConnect: false,
    auth: (send) => send(identity() ?? {}),
    reconnectionDelay: RETURN_WAIT_MS,
    reconnectionDelayMax: RETURN_WAIT_MAX_MS,
  });
  let guest = null; // {name, resolve} of somebody who waits at the door

  socket.onAny(heard);

  socket.on("connect", () => {
    socket.io.reconnectionDelay(RETURN_WAIT_MS);
    if (guest) introduce();
  });

  socket.on("disconnect", (reason) => {
    if (reason === "io client disconnect") return;
    // Nobody waits behind the sign-in form: no need to come back for it.
    if (!identity() && !guest) socket.disconnect();
    else linked(navigator.onLine && socket.active ? "reconnecting" : "offline");
  });

  socket.on("connect_error", ({ message: code, data }) => {
    if (socket.active) {
      linked(navigator.onLine ? "reconnecting" : "offline");
    } else if (passes(code)) {
      linked("reconnecting");
      setTimeout(comeAgain, data?.retryAfterMs ?? RETRY_WAIT_MS);
    } else if (guest) {
      admit({ ok: false, code, message: data?.message });
    } else {
      refused(code, data?.message);
    }
  });

  // The client's jitter may halve the wait, so that twice the wish is not too early.
  socket.on("closing", ({ afterMs }) => {
    if (afterMs > 0) socket.io.reconnectionDelay(Math.min(2 * afterMs, RETURN_WAIT_MAX_MS));
  });

  addEventListener("offline", () => identity() && linked("offline"));
  addEventListener("online", comeAgain);

  function comeAgain() {
    if (identity() || guest) reconnect();
  }

  function introduce() {
    socket.timeout(ANSWER_WAIT_MS).emit("new user", guest.name, (unanswered, ok, detail) => {
      if (!unanswered) admit({ ok, ...detail });
      else if (socket.connected) admit({ ok: false, code: "unanswered" });
    });
  }

  function admit(answer) {
    guest?.resolve(answer);
    guest = null;
  }

  function signIn(name) {
    return new Promise((resolve) => {
      guest = { name, resolve };
      if (socket.connected) introduce();
      else socket.connect();
    });
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

  function reconnect() {
    if (!socket.connected) socket.disconnect().connect();
  }

  return {
    signIn,
    request,
    ask,
    reconnect,
    connect: () => socket.connect(),
    disconnect: () => socket.disconnect(),
  };
}
