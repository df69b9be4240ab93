// Several things fail at once.

import { test } from "node:test";

import { DEAF, STORELESS } from "../../support/complaints.mjs";
import { storm } from "../../support/storm.mjs";

const complaints = [...DEAF, ...STORELESS];

test("PostgreSQL and Redis are restarted together", (t) =>
  storm(t, { complaints }, async ({ cluster, crowd }) => {
    const engines = [cluster.postgres, cluster.redis];
    await Promise.all(engines.map((it) => it.crash()));
    await Promise.all(engines.map((it) => it.comeBack()));
    await crowd.progress(200);
    await cluster.ready();
  }));

test("a node is killed while Redis is down, and comes back before Redis does", (t) =>
  storm(t, { complaints }, async ({ cluster, crowd }) => {
    await cluster.redis.crash();
    const [node] = cluster.nodes;
    await node.kill9();
    await crowd.progress(200);
    await node.start();
    await cluster.unready(node);
    await crowd.progress(200);
    await cluster.redis.comeBack();
    await cluster.ready();
  }));

test("a node is killed in the middle of a restart of PostgreSQL", (t) =>
  storm(t, { complaints }, async ({ cluster, crowd }) => {
    await cluster.postgres.crash();
    await cluster.nodes[0].kill9();
    await cluster.postgres.comeBack();
    await cluster.nodes[0].start();
    await crowd.progress(200);
    await cluster.ready();
  }));
