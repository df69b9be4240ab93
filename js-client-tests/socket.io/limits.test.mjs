import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { LIMITS, limits, RATE_LIMIT, rateLimit } from "../suites/limits.mjs";
import { assertOk } from "../support/assert.mjs";
import { barrier, joinAsGuest } from "../support/fixtures.mjs";
import { RawPolling } from "../support/raw-clients.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { ALL_SOCKET_IO, SOME_SOCKET_IO, socketIo } from "../support/socket.io.mjs";
import { unique } from "../support/unique.mjs";

const FRAME_BYTES = LIMITS["limits.frame_bytes_max"];

const server = serverForThisFile({ settings: LIMITS });
const slow = serverForThisFile({ settings: RATE_LIMIT });
const narrow = serverForThisFile({ settings: { "limits.inbox_requests_max": 100 } });

for (const clientType of ALL_SOCKET_IO) {
  describe(`limits over ${clientType.label}`, () => limits(clientType, server));
}

for (const clientType of SOME_SOCKET_IO) {
  describe(`rate limit over ${clientType.label}`, () => rateLimit(clientType, slow));
}

for (const version of ["4.8", "2.5"]) {
  test(`a packet above the limit ends the connection of ${version}, and no other`, async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, socketIo(version, "websocket"), server, "ann", { room });
    const bob = await joinAsGuest(t, socketIo(version, "websocket"), server, "bob", { room });
    ann.emit("send message", "x".repeat(FRAME_BYTES));
    const { code, limit } = await ann.next("closing");
    assert.deepEqual([code, limit], ["frame_too_large", FRAME_BYTES]);
    assert.notEqual(await ann.closed, "io server disconnect");
    assert.deepEqual(await bob.next("user left"), { room, user: ann.name });
    assert.equal((await barrier(bob, room, bob)).seq, 1);
  });
}

test("a polling request at the limit is accepted, one more byte is 413", async () => {
  const raw = await RawPolling.open(server);
  await raw.post("40");
  await raw.next((packet) => packet.startsWith("40"));
  const packet = (bytes) => `42["x","${"x".repeat(bytes - 10)}"]`;
  assert.equal(packet(FRAME_BYTES).length, FRAME_BYTES);
  assert.equal((await raw.post(packet(FRAME_BYTES))).status, 200);
  const closing = raw.next((it) => it.startsWith('42["closing",{"code":"frame_too_large"'));
  const { status, body } = await raw.post(packet(FRAME_BYTES + 1));
  const { code, limit } = JSON.parse(body);
  assert.deepEqual([status, code, limit], [413, "frame_too_large", FRAME_BYTES]);
  await closing;
});

test("the limit applies to a polling request with several packets, too", async (t) => {
  const room = unique("room");
  const ann = await joinAsGuest(t, socketIo("4.8", "polling"), server, "ann", { room });
  const list = Array.from({ length: 20 }, () => ({ msg: "x".repeat(3000) }));
  const answers = await ann.askAll("send message", list);
  answers.forEach(assertOk);
});

test("a polling request with more packets than the queue holds is `flood`", async () => {
  const raw = await RawPolling.open(narrow);
  await raw.post("40");
  await raw.next((packet) => packet.startsWith("40"));
  const received = raw.next((packet) => packet.startsWith('42["closing"'));
  assert.equal((await raw.post(Array(101).fill('42["GroupList"]').join("\x1e"))).status, 413);
  const [, { code, reconnect }] = JSON.parse((await received).slice(2));
  assert.deepEqual([code, reconnect], ["flood", true]);
});
