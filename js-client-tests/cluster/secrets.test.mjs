// Passwords of engines stand in the settings, and nowhere else.

import assert from "node:assert/strict";
import { test } from "node:test";

import { again } from "../support/again.mjs";
import { clusterForThisTest } from "../support/cluster.mjs";
import { DEAF, STORELESS } from "../support/complaints.mjs";
import { unique } from "../support/names.mjs";
import { enrol } from "../support/people.mjs";
import { PASSWORD as STORE_PASSWORD } from "../support/postgres.mjs";
import { PASSWORD as BUS_PASSWORD, Redis } from "../support/redis.mjs";
import { plain } from "../support/ws.mjs";

const SECRETS = [STORE_PASSWORD, encodeURIComponent(STORE_PASSWORD), BUS_PASSWORD];

test("no log shows them, at any level and whatever fails", async (t) => {
  const cluster = await clusterForThisTest(t, {
    nodes: 1,
    guarded: true,
    redis: new Redis({ requirepass: BUS_PASSWORD }),
    complaints: [...DEAF, ...STORELESS],
    logging: { filter: "trace" },
  });
  const [node] = cluster.nodes;
  const ann = await enrol(t, plain, node, "ann", { room: unique("room") });
  await cluster.redis.crash();
  await cluster.unready(node);
  await cluster.postgres.crash();
  const { code } = await ann.ask("send message", "hello");
  assert.equal(code, "unavailable");
  await Promise.all([cluster.redis.comeBack(), cluster.postgres.comeBack()]);
  await again("a message to be stored", async () => (await ann.ask("send message", "hi")).ok);
  await cluster.ready();
  for (const line of node.log) {
    assert.ok(!SECRETS.some((it) => line.includes(it)), "a password is in the log");
  }
});
