// The drain does not wait indefinitely for peers that do not respond.

import assert from "node:assert/strict";
import net from "node:net";
import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { RawPolling, RawWebSocket } from "../support/raw-clients.mjs";
import { serverForThisTest } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { LONG_TIMEOUT_MS, once, withTimeout } from "../support/timeouts.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const DRAIN_MS_MAX = 3000;
/** Tolerance for a slow machine. */
const SLACK_MS = 3000;

const settings = {
  drain_ms_max: DRAIN_MS_MAX,
  "limits.outbox_bytes_max": 256 * 1024 * 1024,
  "limits.write_stall_ms_max": 600_000,
  "sqlite.synchronous": "normal",
};
const expectedLog = [/slow|stall/i, /sqlite\.synchronous/];

test("pending polls do not delay the exit", async (t) => {
  const server = await serverForThisTest(t, { settings, expectedLog });
  const clientTypes = ["4.8", "3.1", "2.5", "2.3"].map((version) => socketIo(version, "polling"));
  const clients = [];
  for (const it of clientTypes) {
    for (let n = 0; n < 5; n += 1) clients.push(await joinAsGuest(t, it, server, "poller"));
  }
  await leavesInTime(server);
  for (const it of clients) {
    assert.equal((await it.next("closing")).code, "draining");
    await withTimeout("the end of the connection", it.closed);
  }
});

test("peers that stopped reading do not delay the exit", async (t) => {
  const server = await serverForThisTest(t, { settings, expectedLog });
  const room = unique("room");
  const ann = await joinAsGuest(t, wsJson, server, "ann", { room });
  for (let n = 0; n < 3; n += 1) {
    const path = "/socket.io/?EIO=4&transport=websocket";
    const raws = [
      await RawWebSocket.open(t, server, `/ws/${room}`),
      await RawWebSocket.open(t, server, path),
    ];
    raws[1].text(`40${JSON.stringify({ room })}`);
    await raws[1].nextText((it) => it.startsWith("40"));
    raws[0].text(JSON.stringify({ event: "new user", data: unique("stuck") }));
    raws[1].text(`42["new user","${unique("stuck")}"]`);
    for (const raw of raws) {
      await raw.nextText((it) => it.includes('"welcome"'));
      raw.stopReading();
    }
  }
  const body = "x".repeat(400_000);
  for (let n = 0; n < 40; n += 1) assertOk(await ann.ask("GroupChat", body));
  await leavesInTime(server);
  assert.equal((await ann.next("closing")).code, "draining");
  assert.equal((await withTimeout("the close", ann.closed)).code, 1001);
});

test("incomplete requests do not delay the exit", async (t) => {
  const server = await serverForThisTest(t, { settings, expectedLog });
  const polling = await RawPolling.open(server);
  const beginnings = [
    "",
    "GET /socket",
    "GET / HTTP/1.1\r\nhost: x\r\n",
    `POST /socket.io/?EIO=4&transport=polling&sid=${polling.handshake.sid} HTTP/1.1\r\n`
      + "host: x\r\ncontent-type: text/plain\r\ncontent-length: 100\r\n\r\n42",
    "GET /ws HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
      + "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
  ];
  for (const text of beginnings) {
    const socket = net.connect(server.port, "127.0.0.1");
    socket.on("error", () => {});
    t.after(() => socket.destroy());
    await once(socket, "connect");
    socket.write(text);
  }
  await joinAsGuest(t, wsJson, server, "ann"); // by now the server has accepted the other connections
  await leavesInTime(server);
});

test("new connections are refused during the drain", async (t) => {
  const server = await serverForThisTest(t, { settings, expectedLog });
  const room = unique("room");
  const ann = await joinAsGuest(t, wsJson, server, "ann", { room });
  const raw = await RawWebSocket.open(t, server, `/ws/${room}`);
  raw.text(JSON.stringify({ event: "new user", data: unique("stuck") }));
  await raw.nextText((it) => it.includes('"welcome"'));
  raw.stopReading();
  const body = "x".repeat(400_000);
  for (let n = 0; n < 40; n += 1) assertOk(await ann.ask("GroupChat", body));
  const left = leavesInTime(server); // the stalled connection prolongs the drain
  await ann.next("closing");
  const refusal = await wsJson.refusal(server).catch((error) => error.code);
  assert.ok(["draining", "ECONNREFUSED", "ECONNRESET"].includes(refusal), refusal);
  await left;
});

async function leavesInTime(server) {
  const begin = performance.now();
  const { code } = await server.exitOn("SIGTERM", LONG_TIMEOUT_MS);
  const took = performance.now() - begin;
  assert.equal(code, 0, server.log.join("\n"));
  assert.ok(took <= DRAIN_MS_MAX + SLACK_MS, `the drain took ${took} ms`);
}
