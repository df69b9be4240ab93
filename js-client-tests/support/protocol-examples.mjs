// Dialogues over /ws as docs/protocol.md writes them, read and acted.

import assert from "node:assert/strict";

import WebSocket from "ws";

import { once, withTimeout } from "./timeouts.mjs";
import { epochSeconds, signToken } from "./tokens.mjs";
import { wsUrl } from "./ws.mjs";

/** What stands for any value. */
const ANY = "…";

const FRAME = /^(\S+?)([<>]) (\{.*\})$/;
const CONNECT = /^(\S+) connects( as admin)?(?:, (\S+))?$/;
const DISCONNECT = /^(\S+) disconnects$/;

/** `{who, act, …}` per line: "sends" or "receives" a `frame`, "connects" or "disconnects". */
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
        DISCONNECT.exec(line) ?? assert.fail(`not a line of a dialogue: ${line}`);
      return { line, clientName, action: "disconnects" };
    });
}

/** Acts a dialogue in `space`: whoever is to hear something must. */
export async function replayExample(t, server, space, lines) {
  const clients = new Map();

  async function connectClient({ clientName, admin = false, query = {} }) {
    const [user, device] = clientName.split("@");
    const claims = { sub: user, exp: epochSeconds(600), ...(admin && { admin }) };
    const token = await signToken(server, claims);
    const sent = { token, space, query: { ...query, ...(device && { device }) } };
    const person = new ExampleClient(new WebSocket(wsUrl(server, sent)));
    t.after(() => person.socket.terminate());
    clients.set(clientName, person);
    // What follows in the dialogue happens after they are in.
    await person.connectClient();
  }

  for (const step of lines) {
    const { clientName, action, frame, line } = step;
    if (action === "connects") await connectClient(step);
    else if (!clients.has(clientName)) await connectClient({ clientName });
    const person = clients.get(clientName);
    if (action === "sends") person.socket.send(JSON.stringify(frame));
    if (action === "receives") await person.receive(frame, line);
    if (action === "disconnects") await person.go();
  }
}

/** Whether `actual` is as `expected` says: these keys and no others, and these values. */
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

/** A list with "…" in it names some of what is there. */
function listMatches(expected, actual) {
  if (!expected.includes(ANY)) {
    return expected.length === actual.length && expected.every((it, i) => matches(it, actual[i]));
  }
  const named = expected.filter((it) => it !== ANY);
  return named.every((it) => actual.some((found) => matches(it, found)));
}

/**
 * A connection that keeps what it heard until a dialogue mentions it, or something after it. Answers
 * and events are in order among themselves, and not between them.
 */
class ExampleClient {
  #answers = [];
  #events = [];

  constructor(socket) {
    this.socket = socket;
    socket.on("message", (frame) => {
      const received = JSON.parse(frame);
      this.#queue(received).push(received);
      socket.emit("heard");
    });
  }

  /** Waits for the welcome, without taking it. */
  async connectClient() {
    await once(this.socket, "open");
    const isWelcome = ({ event }) => event === "welcome";
    while (!this.#events.some(isWelcome)) await once(this.socket, "heard");
  }

  /** Waits for a frame like `expected`; those before it do not matter any more. */
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
        await new Promise((resolve) => this.socket.once("heard", resolve));
      }
    };
    await withTimeout(line, find()).catch(() => {
      const isAlike = ({ event, ack }) => event === expected.event && ack === expected.ack;
      const alike = passed.filter(isAlike).map((it) => `\n  ${JSON.stringify(it)}`);
      assert.fail(`nobody heard\n  ${line}\nbut${alike.join("") || " nothing like it"}`);
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
