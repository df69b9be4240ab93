// A node with a thousand users stops: they are closed a few at a time, and reach the next node over a
// while and not at once.

import assert from "node:assert/strict";
import { test } from "node:test";

import { serverForThisTest } from "../support/server.mjs";
import { LONG_TIMEOUT_MS } from "../support/timeouts.mjs";
import { epochSeconds, SECRET, signToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const USERS = 1000;
/** Half of it is for the closes: long beside the time in which a user reconnects. */
const settings = { drain_ms_max: 16_000, "token.secret": SECRET };

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

  let [told, back, toldAtFirstTenth] = [0, 0, 0];
  const returns = users.map(async (it) => {
    const { code } = await it.client.next("closing", undefined, LONG_TIMEOUT_MS);
    assert.equal(code, "draining");
    told += 1;
    it.client.close();
    await connect(it, next);
    back += 1;
    if (back === USERS / 10) toldAtFirstTenth = told;
  });
  const stopped = node.exitOn("SIGTERM", LONG_TIMEOUT_MS);
  await Promise.all(returns);
  assert.equal((await stopped).code, 0);
  assert.ok(toldAtFirstTenth < 0.6 * USERS, `${toldAtFirstTenth} were told to leave by then`);

  async function connect({ token }, server) {
    const client = await wsJson.connect(server, { token });
    clients.push(client);
    await client.next("welcome", undefined, LONG_TIMEOUT_MS);
    return client;
  }
});
