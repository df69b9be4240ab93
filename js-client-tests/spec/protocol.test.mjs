// Checks that a test exists for every code, close code, request and event of docs/protocol.md.

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";

import { CODES, column, EVENTS, REQUESTS } from "../support/protocol-doc.mjs";
import { SERVER_EVENTS } from "../support/server-events.mjs";

/** Codes that no test can cause from outside, and why. */
const OUT_OF_REACH = {
  internal: "bugs of the server",
  fault: "bugs of the server",
  too_many_denials: "the Rust tests have 100,000 bans",
  refused: "stands for the codes of back ends",
};

const TESTS = await everyTest();

test("every code is caused by a test", () => {
  const codes = [...CODES, ...column("Closing", 0)];
  assert.ok(25 <= codes.length, `only ${codes.length} codes found: was the table moved?`);
  const missing = codes.filter((it) => !(it in OUT_OF_REACH) && !mentions(it));
  assert.deepEqual(missing, []);
});

/** 4004: on `/ws` the server stops reading long before; 4005: bugs of the server. */
test("every close code is caused by a test", () => {
  const numbers = column("Closing", 1).concat(["1002", "1007", "1009"]);
  const reachable = numbers.filter((it) => !["4004", "4005"].includes(it));
  const missing = reachable.filter((it) => !new RegExp(`\\b${it}\\b`).test(TESTS));
  assert.deepEqual(missing, []);
});

test("every request and every event is used by a test", () => {
  assert.ok(8 <= REQUESTS.length && 11 <= EVENTS.length, "were the tables moved?");
  const missing = [...REQUESTS, ...EVENTS].filter((it) => !mentions(it));
  assert.deepEqual(missing, []);
  const unknown = EVENTS.filter((it) => !SERVER_EVENTS.includes(it));
  assert.deepEqual(unknown, [], "support/server-events.mjs does not list them");
});

test("no test sleeps, retries or is skipped", () => {
  for (const [what, pattern] of Object.entries({
    "a sleep": /\bsetTimeout\(|timers\/promises|setInterval\(/,
    "a skip": /\b(skip|todo|only)\s*[:(]/,
    "a retry": /\bretr(y|ies)\s*[:(]/,
  })) {
    assert.doesNotMatch(TESTS, pattern, what);
  }
});

/** Whether a test names it in quotation marks. */
function mentions(name) {
  return ['"', "'", "`"].some((mark) => TESTS.includes(mark + name + mark)) || asKey(name);
}

/** Whether a test names it as a key of an object. */
function asKey(name) {
  return new RegExp(`^ *${name}: `, "m").test(TESTS);
}

/** The text of every test and suite, except this folder. */
async function everyTest() {
  const root = new URL("../", import.meta.url);
  const folders = ["across", "browser", "command", "faults", "http", "socket.io", "suites", "ws"];
  const texts = [];
  for (const folder of folders) {
    for (const file of await readdir(new URL(`${folder}/`, root))) {
      texts.push(await readFile(new URL(`${folder}/${file}`, root), "utf8"));
    }
  }
  return texts.join("\n");
}
