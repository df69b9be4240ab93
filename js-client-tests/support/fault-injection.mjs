// Runs load on three nodes while a fault is injected, then checks every guarantee.

import assert from "node:assert/strict";

import { Cluster } from "./cluster.mjs";
import { checkDelivery } from "./delivery-checker.mjs";
import { LoadGenerator } from "./load-generator.mjs";
import { checkLeaveEvents, checkPresence } from "./presence-checker.mjs";

/** Messages before and after the fault. */
const STEADY_MESSAGES = 300;

/** The server detects a polling client that gave up its first request by an unanswered ping. */
const SETTINGS = { "limits.ping_interval_ms": 5000, "limits.ping_timeout_ms": 5000 };

/** How many violations a failure shows. */
const SHOWN = 12;

/**
 * Runs load while `injectFault({ cluster, load })` happens, then checks all guarantees. With
 * `allowFlapping`, users may appear to leave and return during the fault; `delayMsMax` is the
 * longest permitted delivery delay; the other options are those of a cluster.
 */
export async function runWithFault(
  t,
  { allowFlapping = false, delayMsMax = Infinity, ...options },
  injectFault,
) {
  const cluster = new Cluster({ settings: SETTINGS, ...options });
  t.after(() => cluster.stop());
  await cluster.start();
  const load = new LoadGenerator(cluster.nodes);
  try {
    await load.connectAll();
    await load.progress(STEADY_MESSAGES);
    load.stopSome();
    await injectFault({ cluster, load });
    await load.progress(STEADY_MESSAGES);
    await load.drain();
    await load.waitUntilDelivered();
    const violations = [
      ...(await checkPresence(load, cluster.nodes)),
      ...checkLeaveEvents(load, { allowFlapping }),
    ];
    violations.push(...(await checkDelivery(load, cluster.nodes)));
    if (delayMsMax < load.maxDelayMs) violations.push(`a message took ${load.maxDelayMs} ms`);
    assert.deepEqual(
      violations.slice(0, SHOWN),
      [],
      `${violations.length} guarantees were violated`,
    );
  } finally {
    t.diagnostic(load.summary());
    load.stop();
  }
}
