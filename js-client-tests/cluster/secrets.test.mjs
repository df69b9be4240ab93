// Passwords of engines stand in the settings, and nowhere else.

import assert from "node:assert/strict";
import { test } from "node:test";

import { answers } from "../support/cluster.mjs";
import { DEAF, STORELESS } from "../support/complaints.mjs";
import { enter } from "../support/people.mjs";
import { within } from "../support/patience.mjs";
import { PASSWORD as STORE_PASSWORD, postgresForThisTest } from "../support/postgres.mjs";
import { PASSWORD as BUS_PASSWORD, redisForThisTest } from "../support/redis.mjs";
import { serverForThisTest } from "../support/server.mjs";
import { every } from "../support/ticks.mjs";
import { plain } from "../support/ws.mjs";

const SECRETS = [STORE_PASSWORD, encodeURIComponent(STORE_PASSWORD), BUS_PASSWORD];

test("no log shows them, at any level and whatever fails", async (t) => {
  const postgres = await postgresForThisTest(t);
  const redis = await redisForThisTest(t, { requirepass: BUS_PASSWORD });
  const server = await serverForThisTest(t, {
    settings: { store: postgres.guardedUrl, bus: redis.url },
    complaints: [...DEAF, ...STORELESS],
    logging: { filter: "trace" },
  });
  await answers(server, 200);
  const ann = await enter(t, plain, server, "ann");
  await redis.crash();
  await answers(server, 503);
  await postgres.crash();
  const { code } = await ann.ask("send message", "hello");
  assert.equal(code, "unavailable");
  await Promise.all([redis.comeBack(), postgres.comeBack()]);
  await within("a message to be stored", stored(ann));
  await answers(server, 200);
  for (const line of server.log) {
    assert.ok(!SECRETS.some((it) => line.includes(it)), "a password is in the log");
  }
});

/** Says something until it is stored. */
async function stored(client) {
  for await (const _ of every(100)) if ((await client.ask("send message", "hello")).ok) return;
}
