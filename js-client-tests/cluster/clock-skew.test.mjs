// Nodes whose clocks differ: tokens and timestamps.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk, assertRecentTime } from "../support/assert.mjs";
import { clusterForThisFile } from "../support/cluster.mjs";
import { signIn } from "../support/cookie-session.mjs";
import { connect, connectWithToken, joinAsUser } from "../support/fixtures.mjs";
import { interval } from "../support/timers.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const cluster = clusterForThisFile({ nodes: 2, clocks: ["+10s", undefined] });

test("the clocks differ by ten seconds", async (t) => {
  const [ahead, right] = await Promise.all(cluster.nodes.map(now));
  assert.ok(9_000 < ahead - right, `${ahead} and ${right}`);

  async function now(node) {
    const { headers } = await fetch(`${node.url}/health/live`);
    const date = headers.get("date");
    if (date !== null) return Date.parse(date);
    const ann = await joinAsUser(t, wsJson, node, "ann", { room: unique("room") });
    return Date.parse(assertOk(await ann.ask("send message", "now")).at);
  }
});

test("a guest of one node can reconnect to the other one, whichever clock is ahead", async (t) => {
  for (const [one, other] of [cluster.nodes, cluster.nodes.toReversed()]) {
    const guest = await connect(t, wsJson, one);
    await guest.identify(unique("guest"));
    const again = await connectWithToken(t, wsJson, other, guest.token);
    assert.equal(again.name, guest.name);
  }
});

test("so can a user with a cookie session", async (t) => {
  for (const [one, other] of [cluster.nodes, cluster.nodes.toReversed()]) {
    const name = unique("guest");
    const headers = await signIn(one, { name });
    const again = await (await connect(t, wsJson, other, { headers })).waitForWelcome();
    assert.equal(again.name, name);
  }
});

test("messages are in the order of the log, for any clocks", async (t) => {
  const room = unique("room");
  const clients = [];
  for (const node of cluster.nodes)
    clients.push(await joinAsUser(t, wsJson, node, "one", { room }));
  let n = 0;
  for await (const _ of interval(10)) {
    const { seq, at } = assertOk(await clients[n % 2].ask("send message", "tick"));
    n += 1;
    assert.equal(seq, n);
    assertRecentTime(at);
    if (n === 20) break;
  }
});
