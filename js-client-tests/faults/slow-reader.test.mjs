// A peer that stops reading hurts only itself, and loses nothing when it comes back.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { assertConsecutive, assertOk } from "../support/assert.mjs";
import { connectWithToken, joinAsGuest, readUntilCount } from "../support/fixtures.mjs";
import { RawWebSocket } from "../support/raw-clients.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { LONG_TIMEOUT_MS } from "../support/timeouts.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

/** More than the kernel keeps for a socket on both sides together. */
const MESSAGES = 64;
const BODY = "x".repeat(400_000);

const STALL_MS_MAX = 2000;
const GRACE_MS = 200;
/** What the machine may add to the sum of these. */
const SLACK_MS = 4000;
/** What anybody else's request may take meanwhile. */
const LATENCY_MS_MAX = 2000;

const COMMON = {
  "limits.presence_grace_ms": GRACE_MS,
  "limits.write_stall_ms_max": STALL_MS_MAX,
  "sqlite.synchronous": "normal",
};

const expectedLog = [/slow|stall/i, /sqlite\.synchronous/];

/** Its queues hold everything: what ends the connection is that its socket takes nothing. */
const deep = serverForThisFile({
  settings: { ...COMMON, "limits.outbox_bytes_max": 256 * 1024 * 1024 },
  expectedLog,
});

/** Its queues hold little: what ends the connection is that they are full. */
const shallow = serverForThisFile({
  settings: { ...COMMON, "limits.outbox_bytes_max": 2 * 1024 * 1024 },
  expectedLog,
});

/** Its queues hold little, and it waits long for who is not reading. */
const patient = serverForThisFile({
  settings: {
    ...COMMON,
    "limits.outbox_bytes_max": 2 * 1024 * 1024,
    "limits.write_stall_ms_max": 60_000,
  },
  expectedLog,
});

/** How each wire opens a connection by hand, says `new user`, and tells of its token. */
const STRANGERS = {
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
  ["full queue", shallow],
  ["socket that takes nothing", deep],
]) {
  for (const [wire, open] of Object.entries(STRANGERS)) {
    describe(`a reader that stops on ${wire}, ended by a ${kind}`, () => {
      test("is closed in time, leaves its room, bothers nobody, and misses nothing", async (t) => {
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

        await talk(ann);
        const sent = performance.now();
        await ann.next("user left", ({ user }) => user === name, LONG_TIMEOUT_MS);
        const took = performance.now() - sent;
        assert.ok(took <= STALL_MS_MAX + GRACE_MS + SLACK_MS, `it stayed for ${took} ms`);

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

test("a reader on plain WebSocket that wakes up in time hears why it was closed", async (t) => {
  const room = unique("room");
  const ann = await joinAsGuest(t, wsJson, patient, "ann", { room });
  const { raw } = await STRANGERS["plain WebSocket"](t, patient, room, unique("slow"));
  raw.stopReading();
  await talk(ann);
  raw.resumeReading();
  const closing = JSON.parse(await raw.nextText((it) => it.startsWith('{"event":"closing"')));
  const { afterMs, ...why } = closing.data;
  assert.deepEqual(why, { code: "slow_reader", reconnect: true });
  assert.equal(await raw.closeCode(), 4002);
  await raw.ended();
});

test("a reader on Socket.IO that wakes up in time hears why it was closed", async (t) => {
  const room = unique("room");
  const ann = await joinAsGuest(t, wsJson, patient, "ann", { room });
  const { raw } = await STRANGERS["Socket.IO over WebSocket"](t, patient, room, unique("slow"));
  raw.stopReading();
  await talk(ann);
  raw.resumeReading();
  const closing = JSON.parse((await raw.nextText((it) => it.startsWith('42["closing"'))).slice(2));
  const { afterMs, ...why } = closing[1];
  assert.deepEqual(why, { code: "slow_reader", reconnect: true });
  await raw.ended();
});

/** Says everything, one after the other, and looks how long each answer takes. */
async function talk(sender) {
  for (let n = 0; n < MESSAGES; n += 1) {
    const asked = performance.now();
    assertOk(await sender.ask("GroupChat", BODY));
    const took = performance.now() - asked;
    assert.ok(took <= LATENCY_MS_MAX, `message ${n} was answered after ${took} ms`);
  }
}

function tokenIn(packet) {
  return /"token":"([^"]+)"/.exec(packet)[1];
}
