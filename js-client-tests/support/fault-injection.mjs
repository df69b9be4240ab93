// A crowd on three nodes, something that breaks, and what must be true afterwards.

import assert from "node:assert/strict";
import { Cluster } from "./cluster.mjs";
import { checkDelivery } from "./delivery-checker.mjs";
import { LoadGenerator } from "./load-generator.mjs";
import { checkLeaveEvents, checkPresence } from "./presence-checker.mjs";

/** Messages before and after what breaks. */
const STEADY_MESSAGES = 300;

/** A polling client that gave up in its first request is missed when it does not answer. */
const SETTINGS = { "limits.ping_interval_ms": 5000, "limits.ping_timeout_ms": 5000 };

/** How many complaints one failure shows. */
const SHOWN = 12;

/**
 * Lets a crowd talk while `breaks({ cluster, crowd })` happens, and holds the cluster to all its
 * promises. With `flap` users may seem to go and come while it lasts, `late` is how many milliseconds
 * a message may need at most, and the other options are those of a cluster.
 */
export async function runWithFault(
  t,
  { allowFlapping = false, delayMsMax = Infinity, ...options },
  breaks,
) {
  const cluster = new Cluster({ settings: SETTINGS, ...options });
  t.after(() => cluster.stop());
  await cluster.start();
  const load = new LoadGenerator(cluster.nodes);
  try {
    await load.connectAll();
    await load.progress(STEADY_MESSAGES);
    load.stopSome();
    await breaks({ cluster, load });
    await load.progress(STEADY_MESSAGES);
    await load.drain();
    await load.waitUntilDelivered();
    const wrong = [
      ...(await checkPresence(load, cluster.nodes)),
      ...checkLeaveEvents(load, { allowFlapping }),
    ];
    wrong.push(...(await checkDelivery(load, cluster.nodes)));
    if (delayMsMax < load.maxDelayMs) wrong.push(`a message needed ${load.maxDelayMs} ms`);
    assert.deepEqual(wrong.slice(0, SHOWN), [], `${wrong.length} promises were broken`);
  } finally {
    t.diagnostic(load.summary());
    load.stop();
  }
}
