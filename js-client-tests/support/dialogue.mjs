// Dialogues over /ws as docs/protocol.md writes them, read and acted.

import assert from "node:assert/strict";

import WebSocket from "ws";

import { once, within } from "./patience.mjs";
import { epoch, signed } from "./tokens.mjs";
import { address } from "./ws.mjs";

/** What stands for any value. */
const ANY = "…";

const SPEECH = /^(\S+?)([<>]) (\{.*\})$/;
const COMING = /^(\S+) connects( as admin)?(?:, (\S+))?$/;
const GOING = /^(\S+) disconnects$/;

/** `{who, act, …}` per line: "says" or "hears" a `frame`, "comes" or "goes". */
export function parse(text) {
  return text
    .trim()
    .split("\n")
    .map((line) => {
      const speech = SPEECH.exec(line);
      if (speech) {
        const [, who, direction, frame] = speech;
        return { line, who, act: direction === ">" ? "says" : "hears", frame: JSON.parse(frame) };
      }
      const coming = COMING.exec(line);
      if (coming) {
        const [, who, isAdmin, query = ""] = coming;
        const parameters = Object.fromEntries(new URLSearchParams(query));
        return { line, who, act: "comes", admin: isAdmin !== undefined, query: parameters };
      }
      const [, who] = GOING.exec(line) ?? assert.fail(`not a line of a dialogue: ${line}`);
      return { line, who, act: "goes" };
    });
}

/** Acts a dialogue in `space`: whoever is to hear something must. */
export async function act(t, server, space, lines) {
  const people = new Map();

  async function come({ who, admin = false, query = {} }) {
    const [user, device] = who.split("@");
    const claims = { sub: user, exp: epoch(600), ...(admin && { admin }) };
    const token = await signed(server, claims);
    const said = { token, space, query: { ...query, ...(device && { device }) } };
    const person = new Listener(new WebSocket(address(server, said)));
    t.after(() => person.socket.terminate());
    people.set(who, person);
    // What follows in the dialogue happens after they are in.
    await person.come();
  }

  for (const step of lines) {
    const { who, act: deed, frame, line } = step;
    if (deed === "comes") await come(step);
    else if (!people.has(who)) await come({ who });
    const person = people.get(who);
    if (deed === "says") person.socket.send(JSON.stringify(frame));
    if (deed === "hears") await person.hear(frame, line);
    if (deed === "goes") await person.go();
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
class Listener {
  #answers = [];
  #events = [];

  constructor(socket) {
    this.socket = socket;
    socket.on("message", (frame) => {
      const heard = JSON.parse(frame);
      this.#queue(heard).push(heard);
      socket.emit("heard");
    });
  }

  /** Waits for the welcome, without taking it. */
  async come() {
    await once(this.socket, "open");
    const isWelcome = ({ event }) => event === "welcome";
    while (!this.#events.some(isWelcome)) await once(this.socket, "heard");
  }

  /** Waits for a frame like `expected`; those before it do not matter any more. */
  async hear(expected, line) {
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
    await within(line, find()).catch(() => {
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
