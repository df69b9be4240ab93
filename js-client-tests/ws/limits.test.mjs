import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { LIMITS, limits, PACE, pace } from "../chapters/limits.mjs";
import { refused } from "../support/assert.mjs";
import { unique } from "../support/names.mjs";
import { within } from "../support/patience.mjs";
import { enter, fence } from "../support/people.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { plain } from "../support/ws.mjs";

const server = serverForThisFile({ settings: LIMITS });
const slow = serverForThisFile({ settings: PACE });

describe("limits over plain WebSocket", () => limits(plain, server));
describe("pace over plain WebSocket", () => pace(plain, slow));

test("a frame at the limit is read, one byte more ends the connection with 1009", async (t) => {
  const room = unique("room");
  const ann = await enter(t, plain, server, "ann", { room });
  const bob = await enter(t, plain, server, "bob", { room });
  const frame = (bytes) => {
    const text = JSON.stringify({ event: "send message", data: "", ack: 99 });
    return text.replace('""', `"${"x".repeat(bytes - text.length)}"`);
  };
  assert.equal(frame(16_384).length, 16_384);
  const answer = ann.next("error message");
  ann.sendRaw(frame(16_384).replace('"ack":99', '"xyz":99'));
  assert.equal((await answer).code, "message_too_large");
  refused(await ann.ask("send message", "x".repeat(5000)), "message_too_large");
  ann.sendRaw(frame(16_385));
  assert.equal((await within("the close", ann.gone)).code, 1009);
  assert.deepEqual(await bob.next("user left"), { room, user: ann.name });
  assert.equal((await fence(bob, room, bob)).seq, 1);
});
