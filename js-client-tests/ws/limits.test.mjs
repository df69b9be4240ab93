import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { LIMITS, limits, RATE_LIMIT, rateLimit } from "../suites/limits.mjs";
import { assertRefused } from "../support/assert.mjs";
import { barrier, joinAsGuest } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { withTimeout } from "../support/timeouts.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const FRAME_BYTES = LIMITS["limits.frame_bytes_max"];

const server = serverForThisFile({ settings: LIMITS });
const slow = serverForThisFile({ settings: RATE_LIMIT });

describe("limits over plain WebSocket", () => limits(wsJson, server));
describe("rate limit over plain WebSocket", () => rateLimit(wsJson, slow));

test("a frame at the limit is accepted, one more byte ends the connection with 1009", async (t) => {
  const room = unique("room");
  const ann = await joinAsGuest(t, wsJson, server, "ann", { room });
  const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
  const frame = (bytes) => {
    const text = JSON.stringify({ event: "send message", data: "" });
    return text.replace('""', `"${"x".repeat(bytes - text.length)}"`);
  };
  assert.equal(frame(FRAME_BYTES).length, FRAME_BYTES);
  const answer = ann.next("error message");
  ann.sendRaw(frame(FRAME_BYTES));
  assert.equal((await answer).code, "message_too_large");
  assertRefused(await ann.ask("send message", "x".repeat(5000)), "message_too_large");
  ann.sendRaw(frame(FRAME_BYTES + 1));
  assert.equal((await withTimeout("the close", ann.closed)).code, 1009);
  assert.deepEqual(await bob.next("user left"), { room, user: ann.name });
  assert.equal((await barrier(bob, room, bob)).seq, 1);
});
