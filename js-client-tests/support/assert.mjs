// Assertions that many tests share: acknowledgements, times, sequence numbers and names.

import assert from "node:assert/strict";

import { withTimeout } from "./timeouts.mjs";

/** The acknowledgement is a refusal with this code and a message for humans. */
export function assertRefused(answer, code, what = "it") {
  assert.equal(answer.ok, false, `${what} was not refused: ${JSON.stringify(answer)}`);
  assert.equal(answer.code, code, `${what} was answered ${JSON.stringify(answer)}`);
  assert.equal(typeof answer.message, "string");
  assert.notEqual(answer.message, "");
}

/** The acknowledgement has `ok: true`; returns it. */
export function assertOk(answer) {
  assert.equal(answer.ok, true, `refused: ${JSON.stringify(answer)}`);
  return answer;
}

/** The event `error message`, which refuses a request that asked for no acknowledgement. */
export function assertErrorEvent(data, event, code) {
  assert.equal(data.event, event);
  assert.equal(data.code, code, JSON.stringify(data));
  assert.equal(typeof data.message, "string");
}

/** RFC 3339 in UTC with milliseconds, within two minutes of now. */
export function assertRecentTime(at) {
  assert.match(at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const off = Math.abs(Date.now() - Date.parse(at));
  assert.ok(off < 120_000, `${at} is not the current time`);
}

/** The sequence numbers are `first`, `first + 1`, … without a gap or a repeat. */
export function assertConsecutive(messages, first = 1) {
  for (const [at, { seq }] of messages.entries()) {
    assert.equal(seq, first + at, `index ${at} holds seq ${seq}`);
  }
}

/** The same names in any order. */
export function assertSameNames(names, expected) {
  assert.deepEqual([...names].sort(), [...expected].sort());
}

/** The server sends `closing` with this code, and disconnects the client for good. */
export async function assertClosedForGood(client, code, closeCode) {
  const { code: reason, reconnect } = await client.next("closing");
  assert.deepEqual([reason, reconnect], [code, false]);
  const end = await withTimeout("the end of the connection", client.closed);
  if (client.engine === undefined) {
    return assert.deepEqual(end, { code: closeCode, reason: code });
  }
  assert.equal(end, "io server disconnect");
  assert.equal(client.socket.connected, false);
  if (client.socket.active !== undefined) assert.equal(client.socket.active, false);
}
