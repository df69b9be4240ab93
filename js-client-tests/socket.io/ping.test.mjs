// Each side detects a dead peer over Socket.IO.

import assert from "node:assert/strict";
import { test } from "node:test";

import { barrier, joinAsGuest } from "../support/fixtures.mjs";
import { RawWebSocket } from "../support/raw-clients.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { SOME_SOCKET_IO, socketIo, waitForHeartbeat } from "../support/socket.io.mjs";
import { unique } from "../support/unique.mjs";

const server = serverForThisFile({
  settings: {
    "limits.ping_interval_ms": 300,
    "limits.ping_timeout_ms": 3000,
    "limits.presence_grace_ms": 100,
  },
});

for (const clientType of SOME_SOCKET_IO) {
  test(`a client that answers pings stays connected: ${clientType.label}`, async (t) => {
    const ann = await joinAsGuest(t, clientType, server, "ann", { room: unique("room") });
    for (let n = 0; n < 4; n += 1) await waitForHeartbeat(ann);
    await barrier(ann, undefined, ann);
  });
}

for (const version of [4, 3]) {
  test(`a WebSocket that stops answering pings leaves its rooms: Engine.IO ${version}`, async (t) => {
    const room = unique("room");
    const bob = await joinAsGuest(t, socketIo("4.8", "websocket"), server, "bob", { room });
    const name = unique("ann");
    const path = `/socket.io/?EIO=${version}&transport=websocket&room=${room}`;
    const raw = await RawWebSocket.open(t, server, path);
    if (version === 4) raw.text(`40${JSON.stringify({ room })}`);
    await raw.nextText((packet) => packet.startsWith("40"));
    raw.text(`42["new user",${JSON.stringify(name)}]`);
    assert.deepEqual(await bob.next("user joined"), { room, user: name });
    assert.deepEqual(await bob.next("user left"), { room, user: name });
    await raw.ended();
  });
}
