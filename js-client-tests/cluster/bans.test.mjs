// Bans, revocations and the end of sessions on several nodes, also on nodes that start later or
// receive no announcements.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { bans } from "../suites/bans.mjs";
import { API_SETTINGS, callApi, deleteByApi } from "../support/api.mjs";
import { assertClosedForGood } from "../support/assert.mjs";
import { BARRIER } from "../support/bus-barrier.mjs";
import { clusterForThisFile, clusterForThisTest, nodesForThisFile } from "../support/cluster.mjs";
import { deleteSession, getSession, signIn } from "../support/cookie-session.mjs";
import { BUS_DISCONNECTED } from "../support/expected-log.mjs";
import { connect, connectWithToken } from "../support/fixtures.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { epochSeconds, SECRET, signToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const CLIENT_TYPES = [wsJson, socketIo("4.8", "polling"), socketIo("4.8", "websocket")];
const settings = { ...API_SETTINGS, "token.secret": SECRET };
const pair = nodesForThisFile(settings);

for (const it of CLIENT_TYPES) {
  describe(`bans on two nodes over ${it.label}`, () => bans(it, pair.roundRobin));
}

const restarted = clusterForThisFile({
  nodes: 2,
  settings: { ...settings, spaces: [...API_SETTINGS.spaces, BARRIER.space] },
});

const tokenOf = (server, sub, claims = {}) =>
  signToken(server, { sub, exp: epochSeconds(600), iat: epochSeconds(-60), ...claims });

test("a node that was killed knows what happened before and meanwhile", async (t) => {
  const [one, other] = restarted.nodes;
  const [before, meanwhile, freed] = [unique("ann"), unique("bob"), unique("cas")];
  const tokens = await Promise.all([before, meanwhile, freed].map((it) => tokenOf(one, it)));
  const session = await signIn(other, { token: tokens[2] });
  for (const user of [before, freed]) await callApi(one, "bans", { user });
  await other.kill9();
  await callApi(one, "bans", { user: meanwhile });
  await deleteByApi(one, `bans?user=${freed}`);
  assert.equal((await deleteSession(one, session)).status, 204);
  await other.start();
  await restarted.waitUntilReady();
  assert.equal(await wsJson.refusal(other, { token: tokens[0] }), "banned");
  assert.equal(await wsJson.refusal(other, { token: tokens[1] }), "banned");
  assert.equal((await getSession(other, session)).status, 401);
  await connectWithToken(t, wsJson, other, tokens[2]);
});

test("a node without its bus learns of bans from the store", async (t) => {
  const cluster = await clusterForThisTest(t, {
    nodes: 2,
    settings,
    proxies: true,
    expectedLog: BUS_DISCONNECTED,
  });
  const [one, other] = cluster.nodes;
  const token = await tokenOf(one, unique("ann"));
  const session = await signIn(one, { token });
  const ann = await connectWithToken(t, wsJson, other, token);
  const bob = await connect(t, wsJson, other, { headers: session });
  await bob.waitForWelcome();
  cluster.proxies[1].redis.cut();
  await cluster.waitUntilUnready(other);
  assert.equal((await deleteSession(one, session)).status, 204);
  await assertClosedForGood(bob, "signed_out", 4501);
  assert.equal((await callApi(one, "bans", { user: ann.name })).status, 200);
  await assertClosedForGood(ann, "banned", 4504);
  assert.equal(await wsJson.refusal(other, { token }), "banned");
});
