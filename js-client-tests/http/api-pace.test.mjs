// The pace of an API key. docs/api.md.

import assert from "node:assert/strict";
import { test } from "node:test";

import { apiKey, askApi, callApi } from "../support/api.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { waitUntil } from "../support/wait-until.mjs";

/** So slow that no test sees the next item become possible, unless it waits for it. */
const SLOW = { per_second_max: 1, burst_max: 5 };

const keys = ["items", "questions", "refusals", "large", "patient", "unbounded"];
const text = (name) => `rcast_${name}-0123456789abcdef`;
const settings = {
  api_keys: keys.map((name) =>
    apiKey(name, text(name), ["publish", "read"], name === "unbounded" ? {} : SLOW),
  ),
};
const server = serverForThisFile({ settings });

const emit = (name, count) => {
  const items = Array(count).fill({ event: "tick", to: { room: "a" } });
  return callApi(server, "emit", { items }, text(name));
};

/** Asserts that an answer says when to come back, within these seconds. */
function assertTooFast({ status, headers, body }, least, most) {
  assert.deepEqual([status, body.code], [429, "too_fast"]);
  const seconds = Number(headers["retry-after"]);
  assert.ok(seconds >= least && seconds <= most, `retry-after: ${seconds}`);
  assert.ok(body.retryAfterMs > 0 && body.retryAfterMs <= seconds * 1000, body.retryAfterMs);
}

test("items count, and a request is taken whole or not at all", async () => {
  assert.equal((await emit("items", 4)).status, 200);
  assertTooFast(await emit("items", 3), 1, 2);
  assert.equal((await emit("items", 1)).status, 200, "the rest of the burst");
  assertTooFast(await emit("items", 1), 1, 1);
});

test("a question counts as one item", async () => {
  for (let n = 0; n < 5; n += 1) {
    assert.equal((await askApi(server, "users", text("questions"))).status, 200);
  }
  assertTooFast(await askApi(server, "history?room=a", text("questions")), 1, 1);
  assertTooFast(await emit("questions", 1), 1, 1);
  assert.equal((await emit("unbounded", 1000)).status, 200, "another key");
  assert.equal((await emit("unbounded", 1000)).status, 200);
});

test("what is refused for another reason does not count", async () => {
  for (let n = 0; n < 10; n += 1) {
    assert.equal((await askApi(server, "users?limit=0", text("refusals"))).status, 400);
    assert.equal((await askApi(server, "users?space=/no", text("refusals"))).status, 404);
  }
  assert.equal((await emit("refusals", 5)).status, 200);
});

test("more items than a burst are taken after a pause, and paid for afterwards", async () => {
  assert.equal((await emit("large", 20)).status, 200);
  assertTooFast(await emit("large", 1), 15, 16);
});

test("after the wait that the answer names, the request is taken", async () => {
  assert.equal((await emit("patient", 5)).status, 200);
  assertTooFast(await emit("patient", 1), 1, 1);
  await waitUntil("the request is taken", async () => (await emit("patient", 1)).status === 200);
});
