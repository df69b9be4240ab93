// What every answer and event of a kind has in common.

import assert from "node:assert/strict";

/** An answer that says no for this reason, with a sentence for a person. */
export function assertRefused(answer, code, what = "it") {
  assert.equal(answer.ok, false, `${what} was not refused: ${JSON.stringify(answer)}`);
  assert.equal(answer.code, code, `${what} was answered ${JSON.stringify(answer)}`);
  assert.equal(typeof answer.message, "string");
  assert.notEqual(answer.message, "");
}

/** An answer that says yes. */
export function assertOk(answer) {
  assert.equal(answer.ok, true, `refused: ${JSON.stringify(answer)}`);
  return answer;
}

/** The event `error message` for a request that asked for no answer. */
export function assertErrorEvent(data, event, code) {
  assert.equal(data.event, event);
  assert.equal(data.code, code, JSON.stringify(data));
  assert.equal(typeof data.message, "string");
}

/** RFC 3339 in UTC with milliseconds, and about now. */
export function assertRecentTime(at) {
  assert.match(at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const off = Math.abs(Date.now() - Date.parse(at));
  assert.ok(off < 120_000, `${at} is not now`);
}

/** 1, 2, 3 … from `first`, without a hole and without a repeat. */
export function assertConsecutive(messages, first = 1) {
  for (const [at, { seq }] of messages.entries()) {
    assert.equal(seq, first + at, `place ${at} holds seq ${seq}`);
  }
}

/** Names in no order. */
export function assertSameNames(names, expected) {
  assert.deepEqual([...names].sort(), [...expected].sort());
}
