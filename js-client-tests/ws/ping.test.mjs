// Each side detects a dead peer. docs/protocol.md "Closing": `ping_timeout`.

import assert from "node:assert/strict";
import { test } from "node:test";

import { barrier, joinAsGuest } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { once, withTimeout } from "../support/timeouts.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({
  settings: {
    "limits.ping_interval_ms": 300,
    "limits.ping_timeout_ms": 3000,
    "limits.presence_grace_ms": 100,
  },
});

test("the server answers pings", async (t) => {
  const ann = await joinAsGuest(t, wsJson, server, "ann");
  const pong = once(ann.socket, "pong");
  ann.socket.ping("are you there?");
  assert.equal((await pong)[0].toString(), "are you there?");
});

test("a client that answers the server's pings stays connected", async (t) => {
  const ann = await joinAsGuest(t, wsJson, server, "ann", { room: unique("room") });
  for (let n = 0; n < 4; n += 1) await once(ann.socket, "ping");
  await barrier(ann, undefined, ann);
});

test("a client that does not is closed with 4003, and leaves the room", async (t) => {
  const room = unique("room");
  const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
  const ann = await joinAsGuest(t, wsJson, server, "ann", { room, extra: { autoPong: false } });
  const { code, reconnect, afterMs } = await ann.next("closing");
  assert.deepEqual([code, reconnect], ["ping_timeout", true]);
  assert.ok(Number.isInteger(afterMs) && 0 <= afterMs);
  assert.equal((await withTimeout("the close", ann.closed)).code, 4003);
  assert.deepEqual(await bob.next("user left"), { room, user: ann.name });
});

test("an unidentified connection that does not is closed as well", async (t) => {
  const anonymous = await wsJson.connect(server, { extra: { autoPong: false } });
  t.after(() => anonymous.close());
  assert.equal((await withTimeout("the close", anonymous.closed)).code, 4003);
});
