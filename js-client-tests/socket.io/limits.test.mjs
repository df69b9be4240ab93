import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { LIMITS, limits, PACE, pace } from "../chapters/limits.mjs";
import { accepted } from "../support/assert.mjs";
import { unique } from "../support/names.mjs";
import { enter, fence } from "../support/people.mjs";
import { RawPolling } from "../support/raw.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { EVERY_WAY, SOME_WAYS, way } from "../support/socket.io.mjs";

const server = serverForThisFile({ settings: LIMITS });
const slow = serverForThisFile({ settings: PACE });
const narrow = serverForThisFile({ settings: { "limits.inbox_requests_max": 100 } });

for (const way of EVERY_WAY) {
  describe(`limits over ${way.label}`, () => limits(way, server));
}

for (const way of SOME_WAYS) {
  describe(`pace over ${way.label}`, () => pace(way, slow));
}

for (const version of ["4.8", "2.5"]) {
  test(`a packet above the limit ends the connection of ${version}, and no other`, async (t) => {
    const room = unique("room");
    const ann = await enter(t, way(version, "websocket"), server, "ann", { room });
    const bob = await enter(t, way(version, "websocket"), server, "bob", { room });
    ann.tell("send message", "x".repeat(16_384));
    assert.notEqual(await ann.gone, "io server disconnect");
    assert.deepEqual(await bob.next("user left"), { room, user: ann.name });
    assert.equal((await fence(bob, room, bob)).seq, 1);
  });
}

test("a polling request at the limit is taken, one byte more is 413", async () => {
  const raw = await RawPolling.open(server);
  await raw.post("40");
  await raw.next((packet) => packet.startsWith("40"));
  const packet = (bytes) => `42["x","${"x".repeat(bytes - 10)}"]`;
  assert.equal(packet(16_384).length, 16_384);
  assert.equal((await raw.post(packet(16_384))).status, 200);
  assert.equal((await raw.post(packet(16_385))).status, 413);
});

test("a polling request of several packets may be as long as one", async (t) => {
  const room = unique("room");
  const ann = await enter(t, way("4.8", "polling"), server, "ann", { room });
  const list = Array.from({ length: 20 }, () => ({ msg: "x".repeat(3000) }));
  const answers = await ann.askAll("send message", list);
  answers.forEach(accepted);
});

test("a polling request of more packets than may wait is `flood`", async () => {
  const raw = await RawPolling.open(narrow);
  await raw.post("40");
  await raw.next((packet) => packet.startsWith("40"));
  const heard = raw.next((packet) => packet.startsWith('42["closing"'));
  assert.equal((await raw.post(Array(101).fill('42["GroupList"]').join("\x1e"))).status, 413);
  const [, { code, reconnect }] = JSON.parse((await heard).slice(2));
  assert.deepEqual([code, reconnect], ["flood", true]);
});
