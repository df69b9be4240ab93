// Several faults at the same time.

import { test } from "node:test";

import { BUS_DISCONNECTED, STORE_UNAVAILABLE } from "../../support/expected-log.mjs";
import { runWithFault } from "../../support/fault-injection.mjs";

const expectedLog = [...BUS_DISCONNECTED, ...STORE_UNAVAILABLE];

test("PostgreSQL and Redis are restarted together", (t) =>
  runWithFault(t, { expectedLog }, async ({ cluster, load }) => {
    const engines = [cluster.postgres, cluster.redis];
    await Promise.all(engines.map((it) => it.crash()));
    await Promise.all(engines.map((it) => it.startAgain()));
    await load.progress(200);
    await cluster.waitUntilReady();
  }));

test("a node is killed while Redis is down, and restarts before Redis does", (t) =>
  runWithFault(t, { expectedLog }, async ({ cluster, load }) => {
    await cluster.redis.crash();
    const [node] = cluster.nodes;
    await node.kill9();
    await load.progress(200);
    await node.start();
    await cluster.waitUntilUnready(node);
    await load.progress(200);
    await cluster.redis.startAgain();
    await cluster.waitUntilReady();
  }));

test("a node is killed during a restart of PostgreSQL", (t) =>
  runWithFault(t, { expectedLog }, async ({ cluster, load }) => {
    await cluster.postgres.crash();
    await cluster.nodes[0].kill9();
    await cluster.postgres.startAgain();
    await cluster.nodes[0].start();
    await load.progress(200);
    await cluster.waitUntilReady();
  }));
