// Passwords of PostgreSQL and Redis are in no log.

import assert from "node:assert/strict";
import { test } from "node:test";

import { clusterForThisTest } from "../support/cluster.mjs";
import { BUS_DISCONNECTED, STORE_UNAVAILABLE } from "../support/expected-log.mjs";
import { joinAsUser } from "../support/fixtures.mjs";
import { POSTGRES_PASSWORD as STORE_PASSWORD } from "../support/postgres.mjs";
import { REDIS_PASSWORD as BUS_PASSWORD, Redis } from "../support/redis.mjs";
import { unique } from "../support/unique.mjs";
import { waitUntil } from "../support/wait-until.mjs";
import { wsJson } from "../support/ws.mjs";

const SECRETS = [STORE_PASSWORD, encodeURIComponent(STORE_PASSWORD), BUS_PASSWORD];

test("no log contains them, at any level and after any fault", async (t) => {
  const cluster = await clusterForThisTest(t, {
    nodes: 1,
    passwordAuth: true,
    redis: new Redis({ requirepass: BUS_PASSWORD }),
    expectedLog: [...BUS_DISCONNECTED, ...STORE_UNAVAILABLE],
    logging: { filter: "trace" },
  });
  const [node] = cluster.nodes;
  const ann = await joinAsUser(t, wsJson, node, "ann", { room: unique("room") });
  await cluster.redis.crash();
  await cluster.waitUntilUnready(node);
  await cluster.postgres.crash();
  const { code } = await ann.ask("send message", "hello");
  assert.equal(code, "unavailable");
  await Promise.all([cluster.redis.startAgain(), cluster.postgres.startAgain()]);
  await waitUntil("a message to be stored", async () => (await ann.ask("send message", "hi")).ok);
  await cluster.waitUntilReady();
  for (const line of node.log) {
    assert.ok(!SECRETS.some((it) => line.includes(it)), "a password is in the log");
  }
});
