// A peer that stops reading affects only itself, and misses nothing after it reconnects.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { assertConsecutive, assertOk } from "../support/assert.mjs";
import { connectWithToken, joinAsGuest, readUntilCount } from "../support/fixtures.mjs";
import { encodeFrame, RawWebSocket } from "../support/raw-clients.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { LONG_TIMEOUT_MS } from "../support/timeouts.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

/** More than the kernel buffers for a socket on both sides together. */
const MESSAGES = 64;
const BODY = "x".repeat(400_000);

const PING = 9;
/** Their answers are more than these buffers and the small outbox together. */
const PINGS = 200_000;

const STALL_MS_MAX = 2000;
const GRACE_MS = 200;
/** Tolerance for a slow machine. */
const SLACK_MS = 4000;
/** The longest permitted latency of other clients' requests meanwhile. */
const LATENCY_MS_MAX = 2000;

const COMMON = {
  "limits.presence_grace_ms": GRACE_MS,
  "limits.write_stall_ms_max": STALL_MS_MAX,
  "sqlite.synchronous": "normal",
};

const expectedLog = [/slow|stall/i, /sqlite\.synchronous/];

/** Large outboxes: the connection ends because its socket accepts nothing. */
const largeOutbox = serverForThisFile({
  settings: { ...COMMON, "limits.outbox_bytes_max": 256 * 1024 * 1024 },
  expectedLog,
});

/** Small outboxes: the connection ends because they are full. */
const smallOutbox = serverForThisFile({
  settings: { ...COMMON, "limits.outbox_bytes_max": 2 * 1024 * 1024 },
  expectedLog,
});

/** Small outboxes and a long stall timeout. */
const longStall = serverForThisFile({
  settings: {
    ...COMMON,
    "limits.outbox_bytes_max": 2 * 1024 * 1024,
    "limits.write_stall_ms_max": 60_000,
  },
  expectedLog,
});

/** How each transport connects without a library and identifies; returns the guest's token. */
const RAW_CLIENTS = {
  "plain WebSocket": async (t, server, room, name) => {
    const raw = await RawWebSocket.open(t, server, `/ws/${room}`);
    raw.text(JSON.stringify({ event: "new user", data: name }));
    return { raw, token: tokenIn(await raw.nextText((it) => it.includes('"welcome"'))) };
  },
  "Socket.IO over WebSocket": async (t, server, room, name) => {
    const raw = await RawWebSocket.open(t, server, "/socket.io/?EIO=4&transport=websocket");
    raw.text(`40${JSON.stringify({ room })}`);
    await raw.nextText((it) => it.startsWith("40"));
    raw.text(`42["new user",${JSON.stringify(name)}]`);
    return { raw, token: tokenIn(await raw.nextText((it) => it.includes('"welcome"'))) };
  },
  "Socket.IO of clients before 3.x": async (t, server, room, name) => {
    const path = `/socket.io/?EIO=3&transport=websocket&room=${room}`;
    const raw = await RawWebSocket.open(t, server, path);
    await raw.nextText((it) => it.startsWith("40"));
    raw.text(`42["new user",${JSON.stringify(name)}]`);
    return { raw, token: tokenIn(await raw.nextText((it) => it.includes('"welcome"'))) };
  },
};

for (const [kind, server] of [
  ["full queue", smallOutbox],
  ["blocked socket", largeOutbox],
]) {
  for (const [wire, open] of Object.entries(RAW_CLIENTS)) {
    describe(`a peer that stops reading on ${wire}, ended by a ${kind}`, () => {
      test("is disconnected in time, leaves its room, affects no other client, and misses nothing", async (t) => {
        const room = unique("room");
        const name = unique("slow");
        const ann = await joinAsGuest(t, wsJson, server, "ann", { room });
        const quick = [
          await joinAsGuest(t, wsJson, server, "quick", { room }),
          await joinAsGuest(t, socketIo("4.8", "websocket"), server, "quick", { room }),
        ];
        const { raw, token } = await open(t, server, room, name);
        await ann.next("user joined", ({ user }) => user === name);
        raw.stopReading();

        await postAll(ann);
        const sent = performance.now();
        await ann.next("user left", ({ user }) => user === name, LONG_TIMEOUT_MS);
        const took = performance.now() - sent;
        assert.ok(took <= STALL_MS_MAX + GRACE_MS + SLACK_MS, `it stayed connected for ${took} ms`);

        for (const it of quick) {
          const received = await it.collect("GroupChat", MESSAGES, LONG_TIMEOUT_MS);
          assertConsecutive(received);
          assert.deepEqual(await it.next("user left"), { room, user: name });
        }
        const back = await connectWithToken(t, wsJson, server, token, {
          room,
          since: { [room]: 0 },
        });
        const seen = [];
        await readUntilCount(back, seen, MESSAGES);
        assertConsecutive(seen);
        assert.ok(seen.every(({ data }) => data === BODY));
      });
    });
  }
}

test("a peer on plain WebSocket that resumes reading in time receives the close reason", async (t) => {
  const room = unique("room");
  const ann = await joinAsGuest(t, wsJson, longStall, "ann", { room });
  const { raw } = await RAW_CLIENTS["plain WebSocket"](t, longStall, room, unique("slow"));
  raw.stopReading();
  await postAll(ann);
  raw.resumeReading();
  const closing = JSON.parse(await raw.nextText((it) => it.startsWith('{"event":"closing"')));
  const { afterMs, ...why } = closing.data;
  assert.deepEqual(why, { code: "slow_reader", reconnect: true });
  assert.equal(await raw.closeCode(), 4002);
  await raw.ended();
});

test("a peer on Socket.IO that resumes reading in time receives the close reason", async (t) => {
  const room = unique("room");
  const ann = await joinAsGuest(t, wsJson, longStall, "ann", { room });
  const { raw } = await RAW_CLIENTS["Socket.IO over WebSocket"](t, longStall, room, unique("slow"));
  raw.stopReading();
  await postAll(ann);
  raw.resumeReading();
  const closing = JSON.parse((await raw.nextText((it) => it.startsWith('42["closing"'))).slice(2));
  const { afterMs, ...why } = closing[1];
  assert.deepEqual(why, { code: "slow_reader", reconnect: true });
  await raw.ended();
});

test("a peer on plain WebSocket that sends pings and does not read the answers is disconnected", async (t) => {
  const [room, name] = [unique("room"), unique("slow")];
  const ann = await joinAsGuest(t, wsJson, longStall, "ann", { room });
  const { raw } = await RAW_CLIENTS["plain WebSocket"](t, longStall, room, name);
  await ann.next("user joined", ({ user }) => user === name);
  raw.stopReading();
  const ping = encodeFrame({ opcode: PING, payload: Buffer.alloc(125) });
  raw.write(Buffer.concat(Array(PINGS).fill(ping)));
  await ann.next("user left", ({ user }) => user === name, LONG_TIMEOUT_MS);
});

/** Posts all messages one after the other, and checks the latency of each. */
async function postAll(sender) {
  for (let n = 0; n < MESSAGES; n += 1) {
    const asked = performance.now();
    assertOk(await sender.ask("GroupChat", BODY));
    const took = performance.now() - asked;
    assert.ok(took <= LATENCY_MS_MAX, `message ${n} was acknowledged after ${took} ms`);
  }
}

function tokenIn(packet) {
  return /"token":"([^"]+)"/.exec(packet)[1];
}
