// A crowd on three nodes, something that breaks, and what must be true afterwards.

import assert from "node:assert/strict";

import { check } from "./checker.mjs";
import { Cluster } from "./cluster.mjs";
import { Crowd } from "./crowd.mjs";
import { checkGoings, truth } from "./roll-call.mjs";

/** Messages before and after what breaks. */
const CALM = 300;

/** A polling client that gave up in its first request is missed when it does not answer. */
const SETTINGS = { "limits.ping_interval_ms": 5000, "limits.ping_timeout_ms": 5000 };

/** How many complaints one failure shows. */
const SHOWN = 12;

/**
 * Lets a crowd talk while `breaks({ cluster, crowd })` happens, and holds the cluster to all its
 * promises. With `flap` users may seem to go and come while it lasts, `late` is how many milliseconds
 * a message may need at most, and the other options are those of a cluster.
 */
export async function storm(t, { flap = false, late = Infinity, ...options }, breaks) {
  const cluster = new Cluster({ settings: SETTINGS, ...options });
  t.after(() => cluster.stop());
  await cluster.start();
  const crowd = new Crowd(cluster.nodes);
  try {
    await crowd.come();
    await crowd.progress(CALM);
    crowd.leaveSome();
    await breaks({ cluster, crowd });
    await crowd.progress(CALM);
    await crowd.hush();
    await crowd.heardAll();
    const wrong = [...(await truth(crowd, cluster.nodes)), ...checkGoings(crowd, { flap })];
    wrong.push(...(await check(crowd, cluster.nodes)));
    if (late < crowd.slowest) wrong.push(`a message needed ${crowd.slowest} ms`);
    assert.deepEqual(wrong.slice(0, SHOWN), [], `${wrong.length} promises were broken`);
  } finally {
    t.diagnostic(crowd.summary());
    crowd.end();
  }
}
