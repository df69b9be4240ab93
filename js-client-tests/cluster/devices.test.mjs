// The newest device of a user disconnects the others on all nodes; so do the end of a session and
// of a token.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { newestDeviceOnly } from "../suites/devices.mjs";
import { tokenExpiry } from "../suites/token-expiry.mjs";
import { BARRIER } from "../support/bus-barrier.mjs";
import { clusterForThisFile } from "../support/cluster.mjs";
import { deleteSession, signIn } from "../support/cookie-session.mjs";
import { barrier, connect, connectWithToken } from "../support/fixtures.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { withTimeout } from "../support/timeouts.mjs";
import { mintToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const CLIENT_TYPES = [wsJson, socketIo("4.8", "polling"), socketIo("4.8", "websocket")];

const quick = {
  "limits.presence_grace_ms": 100,
  "token.guest_ttl_secs": 5,
  spaces: [BARRIER.space],
};
const single = clusterForThisFile({ nodes: 2, settings: { ...quick, devices: "newest" } });
const many = clusterForThisFile({ settings: quick });

for (const it of CLIENT_TYPES.slice(0, 2)) {
  describe(`the newest device on two nodes over ${it.label}`, () =>
    newestDeviceOnly(it, single.roundRobin));
  describe(`the expiry of a token on three nodes over ${it.label}`, { concurrency: true }, () => {
    tokenExpiry(it, many.roundRobin);
  });
}

test("of many devices that connect at the same time, only the newest stays", async (t) => {
  const server = single.roundRobin;
  const token = await mintToken(server, unique("ann"));
  const room = unique("room");
  const connectDevice = () =>
    connectWithToken(t, wsJson, server, token, { room, device: unique("device") });
  const all = await Promise.all(Array.from({ length: 6 }, connectDevice));
  const ended = all.map((it) => withTimeout("the disconnect", it.closed).then(({ code }) => code));
  const last = await connectDevice();
  assert.deepEqual(
    await Promise.all(ended),
    all.map(() => 4500),
  );
  await barrier(last, room, last);
  assert.deepEqual(last.take("closing"), []);
});

for (const it of CLIENT_TYPES) {
  test(`signing out on one node disconnects ${it.label} on the others`, async (t) => {
    const [one, two, three] = many.nodes;
    const room = unique("room");
    const token = await mintToken(one, unique("ann"));
    const [session, other] = [await signIn(one, { token }), await signIn(two, { token })];
    const ended = [];
    for (const node of [one, two, three]) ended.push(await connectDevice(node, session));
    const kept = await connectDevice(two, other);
    assert.equal((await deleteSession(three, session)).status, 204);
    for (const client of ended) {
      const { code, reconnect } = await client.next("closing");
      assert.deepEqual([code, reconnect], ["signed_out", false]);
      await withTimeout("the end of a connection", client.closed);
    }
    await barrier(kept, room, kept);
    assert.deepEqual(kept.take("closing"), []);
    for (const node of [one, two, three]) {
      assert.equal(await it.refusal(node, { headers: session }), "unauthorized");
    }

    async function connectDevice(node, headers) {
      return (await connect(t, it, node, { headers, room })).waitForWelcome();
    }
  });
}
