// The examples of docs/protocol.md, dialogues over /ws: parsed and replayed.

import assert from "node:assert/strict";

import WebSocket from "ws";

import { callApi } from "./api.mjs";
import { once, withTimeout } from "./timeouts.mjs";
import { epochSeconds, signToken } from "./tokens.mjs";
import { wsUrl } from "./ws.mjs";

/** Who calls the API in an example. */
const BACKEND = "backend";

/** Stands for any value. */
const ANY = "…";

const FRAME = /^(\S+?)([<>]) (\{.*\})$/;
const CONNECT = /^(\S+) connects( as admin)?(?:, (\S+))?$/;
const DISCONNECT = /^(\S+) disconnects$/;

/**
 * One object per line: `{ clientName, action, … }`; "sends" and "receives" have a `frame`, the
 * other actions are "connects" and "disconnects".
 */
export function parseExample(text) {
  return text
    .trim()
    .split("\n")
    .map((line) => {
      const speech = FRAME.exec(line);
      if (speech) {
        const [, clientName, direction, frame] = speech;
        return {
          line,
          clientName,
          action: direction === ">" ? "sends" : "receives",
          frame: JSON.parse(frame),
        };
      }
      const coming = CONNECT.exec(line);
      if (coming) {
        const [, clientName, isAdmin, query = ""] = coming;
        const parameters = Object.fromEntries(new URLSearchParams(query));
        return {
          line,
          clientName,
          action: "connects",
          admin: isAdmin !== undefined,
          query: parameters,
        };
      }
      const [, clientName] =
        DISCONNECT.exec(line) ?? assert.fail(`not a line of an example: ${line}`);
      return { line, clientName, action: "disconnects" };
    });
}

/** Replays an example in `space`: every frame that a client receives there must arrive. */
export async function replayExample(t, server, space, lines) {
  const clients = new Map();
  let called;

  async function connectClient({ clientName, admin = false, query = {} }) {
    const [user, device] = clientName.split("@");
    const claims = { sub: user, exp: epochSeconds(600), ...(admin && { admin }) };
    const token = await signToken(server, claims);
    const sent = { token, space, query: { ...query, ...(device && { device }) } };
    const client = new ExampleClient(new WebSocket(wsUrl(server, sent)));
    t.after(() => client.socket.terminate());
    clients.set(clientName, client);
    // The next line of the example happens after the client is in its rooms.
    await client.connectClient();
  }

  for (const step of lines) {
    const { clientName, action, frame, line } = step;
    if (clientName === BACKEND) {
      if (action === "sends") called = callApi(server, "ask", { ...frame, space });
      else assert.ok(matches(frame, (await called).body), `${line}\n${(await called).body}`);
      continue;
    }
    if (action === "connects") await connectClient(step);
    else if (!clients.has(clientName)) await connectClient({ clientName });
    const client = clients.get(clientName);
    if (action === "sends") client.socket.send(JSON.stringify(frame));
    if (action === "receives") await client.receive(frame, line);
    if (action === "disconnects") await client.go();
  }
}

/** Whether `actual` matches `expected`: the same keys, no others, and equal values. */
export function matches(expected, actual) {
  if (expected === ANY) return true;
  if (Array.isArray(expected)) return Array.isArray(actual) && listMatches(expected, actual);
  if (typeof expected !== "object" || expected === null) return expected === actual;
  if (typeof actual !== "object" || actual === null || Array.isArray(actual)) return false;
  const keys = Object.keys(expected);
  return (
    keys.length === Object.keys(actual).length
    && keys.every((key) => key in actual && matches(expected[key], actual[key]))
  );
}

/** A list that contains "…" names some of the elements. */
function listMatches(expected, actual) {
  if (!expected.includes(ANY)) {
    return expected.length === actual.length && expected.every((it, i) => matches(it, actual[i]));
  }
  const named = expected.filter((it) => it !== ANY);
  return named.every((it) => actual.some((found) => matches(it, found)));
}

/**
 * A connection that keeps received frames until the example mentions them or a later one.
 * Acknowledgements and events are ordered among themselves, not relative to each other.
 */
class ExampleClient {
  #answers = [];
  #events = [];

  constructor(socket) {
    this.socket = socket;
    socket.on("message", (frame) => {
      const received = JSON.parse(frame);
      this.#queue(received).push(received);
      socket.emit("frame");
    });
  }

  /** Waits for `welcome`, which stays in the queue. */
  async connectClient() {
    await once(this.socket, "open");
    const isWelcome = ({ event }) => event === "welcome";
    while (!this.#events.some(isWelcome)) await once(this.socket, "frame");
  }

  /** Waits for a frame that matches `expected`; earlier frames are dropped. */
  async receive(expected, line) {
    const passed = [];
    const queue = this.#queue(expected);
    const find = async () => {
      for (;;) {
        while (queue.length > 0) {
          const frame = queue.shift();
          if (matches(expected, frame)) return;
          passed.push(frame);
        }
        await new Promise((resolve) => this.socket.once("frame", resolve));
      }
    };
    await withTimeout(line, find()).catch(() => {
      const isAlike = ({ event, ack }) => event === expected.event && ack === expected.ack;
      const alike = passed.filter(isAlike).map((it) => `\n  ${JSON.stringify(it)}`);
      assert.fail(`not received:\n  ${line}\nbut${alike.join("") || " nothing similar"}`);
    });
  }

  #queue({ ack }) {
    return ack === undefined ? this.#events : this.#answers;
  }

  async go() {
    const closed = once(this.socket, "close");
    this.socket.close();
    await closed;
  }
}
