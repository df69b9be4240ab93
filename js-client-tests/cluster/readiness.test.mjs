// The readiness of nodes whose database or bus fails. Each part is named, and no other.

import { test } from "node:test";

import { clusterForThisTest } from "../support/cluster.mjs";
import { BUS_DISCONNECTED, STORE_UNAVAILABLE } from "../support/expected-log.mjs";
import { untilFailed, untilReady } from "../support/readiness.mjs";

test("a database that hangs makes all nodes unready, until it answers", async (t) => {
  const expectedLog = [...STORE_UNAVAILABLE, /node lease|cluster repair/];
  const cluster = await clusterForThisTest(t, { expectedLog });
  cluster.postgres.pause();
  try {
    await Promise.all(cluster.nodes.map((it) => untilFailed(it, "store", "timeout")));
  } finally {
    cluster.postgres.resume();
  }
  await Promise.all(cluster.nodes.map(untilReady));
});

test("a database that is gone makes all nodes unready, until it is back", async (t) => {
  const expectedLog = [...STORE_UNAVAILABLE, /node lease|cluster repair/];
  const cluster = await clusterForThisTest(t, { expectedLog });
  await cluster.postgres.crash();
  await Promise.all(cluster.nodes.map((it) => untilFailed(it, "store", "unavailable")));
  await cluster.postgres.startAgain();
  await Promise.all(cluster.nodes.map(untilReady));
});

test("a bus that returns nothing makes all nodes unready, until it does", async (t) => {
  const cluster = await clusterForThisTest(t, { expectedLog: BUS_DISCONNECTED });
  cluster.redis.pause();
  try {
    await Promise.all(cluster.nodes.map((it) => untilFailed(it, "bus", "bus_disconnected")));
  } finally {
    cluster.redis.resume();
  }
  await Promise.all(cluster.nodes.map(untilReady));
});
