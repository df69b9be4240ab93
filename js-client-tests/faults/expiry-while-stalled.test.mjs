// A token's expiry also ends a connection that is being sent missed messages and reads nothing.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { RawPolling, RawWebSocket } from "../support/raw-clients.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { LONG_TIMEOUT_MS } from "../support/timeouts.mjs";
import { epochSeconds, signToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

/** More than the kernel buffers for a socket on both sides together. */
const MESSAGES = 64;
const BODY = "x".repeat(400_000);

const SHORT = 5;

/** The stall timeout is long: the token's expiry ends the connection. */
const server = serverForThisFile({
  settings: {
    "limits.presence_grace_ms": 100,
    "limits.write_stall_ms_max": 60_000,
    "sqlite.synchronous": "normal",
  },
});

const room = unique("room");
let ann;

/** Ways to connect for all missed messages and then to read nothing. */
const STALLED = {
  "plain WebSocket": async (t, token) => {
    const path = `/ws?token=${token}&since=${room}:0`;
    (await RawWebSocket.open(t, server, path)).stopReading();
  },
  "Socket.IO over WebSocket": async (t, token) => {
    const raw = await RawWebSocket.open(t, server, "/socket.io/?EIO=4&transport=websocket");
    raw.text(`40${JSON.stringify({ token, since: { [room]: 0 } })}`);
    raw.stopReading();
  },
  "Socket.IO of clients before 3.x": async (t, token) => {
    const path = `/socket.io/?EIO=3&transport=websocket&token=${token}&since=${room}:0`;
    (await RawWebSocket.open(t, server, path)).stopReading();
  },
  "Socket.IO over polling": async (_, token) => {
    const raw = await RawPolling.open(server);
    await raw.post(`40${JSON.stringify({ token, since: { [room]: 0 } })}`);
    // A connection enters once its CONNECT was answered.
    await raw.next((packet) => packet.startsWith("40{"));
  },
};

describe("a connection that reads nothing", { concurrency: true }, () => {
  before(async () => {
    ann = await wsJson.connect(server);
    await ann.identify(unique("ann"));
    assertOk(await ann.ask("join", room));
    for (let n = 0; n < MESSAGES; n += 1) {
      assertOk(await ann.ask("GroupChat", { room, data: BODY }));
    }
  });
  after(() => ann?.close());

  for (const [wire, open] of Object.entries(STALLED)) {
    test(`ends with its token: ${wire}`, async (t) => {
      const [sub, exp] = [unique("slow"), epochSeconds(SHORT)];
      await open(t, await signToken(server, { sub, exp }));
      // The user is in the lobby at once, and in the room together with the missed messages.
      const isTheirs = ({ room, user }) => room === "lobby" && user === sub;
      await ann.next("user joined", isTheirs);
      await ann.next("user left", isTheirs, LONG_TIMEOUT_MS);
      assert.ok(exp * 1000 <= Date.now(), "it ended before the token expired");
    });
  }
});
