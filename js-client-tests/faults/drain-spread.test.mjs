// A node with a thousand users stops: they are closed a few at a time, and asked to return at different
// times, so that they reach the next node over a while and not at once.

import assert from "node:assert/strict";
import { test } from "node:test";

import { serverForThisTest } from "../support/server.mjs";
import { LONG_TIMEOUT_MS } from "../support/timeouts.mjs";
import { epochSeconds, SECRET, signToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const USERS = 1000;
/**
 * Half of the time of the drain is for the closes. The event `clock` tells at which second of the node a
 * user was told to leave, however slow this machine is.
 */
const settings = { drain_ms_max: 16_000, clock_secs: 1, "token.secret": SECRET };

test(`${USERS} users of a node that stops return one after the other`, async (t) => {
  const node = await serverForThisTest(t, { settings });
  const next = await serverForThisTest(t, { settings });
  const clients = [];
  t.after(() => {
    for (const it of clients) it.close();
  });
  const users = await Promise.all(
    Array.from({ length: USERS }, async () => ({
      token: await signToken(node, { sub: unique("user"), exp: epochSeconds(600) }),
    })),
  );
  for (const it of users) it.client = await connect(it, node);
  for (const it of users) await it.client.next("clock", undefined, LONG_TIMEOUT_MS);

  const stopped = node.exitOn("SIGTERM", LONG_TIMEOUT_MS);
  const ends = await Promise.all(
    users.map(async ({ client, ...user }) => {
      const { code, afterMs } = await client.next("closing", undefined, LONG_TIMEOUT_MS);
      assert.equal(code, "draining");
      const second = Date.parse(client.take("clock").at(-1)?.at) / 1000;
      client.close();
      await connect(user, next);
      return { second, afterMs };
    }),
  );
  assert.equal((await stopped).code, 0);
  assertSpread(ends.map((it) => it.second));
  const waits = ends.map((it) => it.afterMs);
  assert.ok(Math.min(...waits) >= 1000);
  assert.ok(Math.max(...waits) - Math.min(...waits) > 4000, "the same wait for all");
  assertSpread(ends.map((it) => it.second + Math.floor(it.afterMs / 1000)));

  function assertSpread(seconds) {
    const counts = new Map();
    for (const it of seconds) counts.set(it, (counts.get(it) ?? 0) + 1);
    const most = Math.max(...counts.values());
    assert.ok(most < 0.6 * USERS, `in each second: ${[...counts.values()]}`);
  }

  async function connect({ token }, server) {
    const client = await wsJson.connect(server, { token });
    clients.push(client);
    await client.next("welcome", undefined, LONG_TIMEOUT_MS);
    return client;
  }
});
