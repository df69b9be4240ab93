// Clocks of nodes that are far apart: tokens and times.

import assert from "node:assert/strict";
import { test } from "node:test";

import { accepted, isTime } from "../support/assert.mjs";
import { clusterForThisFile } from "../support/cluster.mjs";
import { unique } from "../support/names.mjs";
import { arrive, comeBack, enrol } from "../support/people.mjs";
import { signedIn } from "../support/session.mjs";
import { every } from "../support/ticks.mjs";
import { plain } from "../support/ws.mjs";

const cluster = clusterForThisFile({ nodes: 2, clocks: ["+10s", undefined] });

test("the clocks are far apart", async (t) => {
  const [ahead, right] = await Promise.all(cluster.nodes.map(now));
  assert.ok(9_000 < ahead - right, `${ahead} and ${right}`);

  async function now(node) {
    const { headers } = await fetch(`${node.url}/health/live`);
    const date = headers.get("date");
    if (date !== null) return Date.parse(date);
    const ann = await enrol(t, plain, node, "ann", { room: unique("room") });
    return Date.parse(accepted(await ann.ask("send message", "now")).at);
  }
});

test("a guest of one node comes back on the other one, whichever is ahead", async (t) => {
  for (const [one, other] of [cluster.nodes, cluster.nodes.toReversed()]) {
    const guest = await arrive(t, plain, one);
    await guest.identify(unique("guest"));
    const again = await comeBack(t, plain, other, guest.token);
    assert.equal(again.name, guest.name);
  }
});

test("so does who has signed in", async (t) => {
  for (const [one, other] of [cluster.nodes, cluster.nodes.toReversed()]) {
    const name = unique("guest");
    const headers = await signedIn(one, { name });
    const again = await (await arrive(t, plain, other, { headers })).welcomed();
    assert.equal(again.name, name);
  }
});

test("the order of what is said is that of the log, whatever the clocks say", async (t) => {
  const room = unique("room");
  const people = [];
  for (const node of cluster.nodes) people.push(await enrol(t, plain, node, "one", { room }));
  let n = 0;
  for await (const _ of every(10)) {
    const { seq, at } = accepted(await people[n % 2].ask("send message", "tick"));
    n += 1;
    assert.equal(seq, n);
    isTime(at);
    if (n === 20) break;
  }
});
