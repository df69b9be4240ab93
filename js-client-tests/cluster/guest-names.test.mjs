// A guest's name is unique in the cluster.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk, assertRefused } from "../support/assert.mjs";
import { clusterForThisFile, clusterForThisTest } from "../support/cluster.mjs";
import { signIn } from "../support/cookie-session.mjs";
import { connect, connectWithToken } from "../support/fixtures.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { LONG_TIMEOUT_MS } from "../support/timeouts.mjs";
import { unique } from "../support/unique.mjs";
import { waitUntil } from "../support/wait-until.mjs";
import { wsJson } from "../support/ws.mjs";

const TRIES = 20;
const NAMES = 5;

const cluster = clusterForThisFile({ settings: { "limits.presence_grace_ms": 100 } });

test("a name that is claimed on one node is taken on the others, in all spellings", async (t) => {
  const name = unique("Ann");
  const [one, ...others] = cluster.nodes;
  const ann = await connect(t, wsJson, one);
  assertOk(await ann.ask("new user", name));
  for (const node of others) {
    const lateClaimer = await connect(t, socketIo("4.8", "polling"), node);
    for (const it of [name, name.toUpperCase()]) {
      assertRefused(await lateClaimer.ask("new user", it), "name_taken", it);
    }
  }
});

test(`of ${TRIES} connections that claim a name at once, on all nodes, one gets it`, async (t) => {
  for (let n = 0; n < NAMES; n += 1) {
    const name = unique("bob");
    const clients = await Promise.all(
      Array.from({ length: TRIES }, (_, at) => connect(t, wsJson, cluster.nodes[at % 3])),
    );
    const answers = await Promise.all(clients.map((it) => it.ask("new user", name)));
    const winners = answers.filter(({ ok }) => ok);
    assert.equal(winners.length, 1, `${winners.length} have the name`);
    for (const it of answers.filter(({ ok }) => !ok)) assertRefused(it, "name_taken");
    for (const it of clients) it.close();
  }
});

test("a guest may reconnect to another node, and the name is free after they disconnect", async (t) => {
  const [one, two, three] = cluster.nodes;
  const carol = await connect(t, wsJson, one);
  await carol.identify(unique("carol"));
  const again = await connectWithToken(t, socketIo("4.8", "websocket"), two, carol.token);
  assert.equal(again.name, carol.name);
  carol.close();
  const next = await connect(t, wsJson, three);
  assertRefused(await next.ask("new user", carol.name), "name_taken");
  again.close();
  await claimed(next, carol.name);
});

test("the name of a cookie session on one node is taken on another", async (t) => {
  const [one, two] = cluster.nodes;
  const name = unique("dave");
  const headers = await signIn(one, { name });
  const dave = await (await connect(t, wsJson, one, { headers })).waitForWelcome();
  assert.equal(dave.name, name);
  const other = await connect(t, wsJson, two);
  assertRefused(await other.ask("new user", name), "name_taken");
});

test("the name of a guest on a killed node becomes free", async (t) => {
  const [, , three] = cluster.nodes;
  const [name, kept] = [unique("erin"), unique("frank")];
  for (const it of [name, kept])
    assertOk(await (await connect(t, wsJson, three)).ask("new user", it));
  await three.kill9();
  const other = await connect(t, wsJson, cluster.nodes[0]);
  await claimed(other, name);
  await three.start();
  await cluster.waitUntilReady();
  const late = await connect(t, wsJson, three);
  assertRefused(await late.ask("new user", name), "name_taken");
  assertOk(await late.ask("new user", kept));
});

for (const signal of ["SIGTERM", "SIGKILL"]) {
  test(`after ${signal} to a node, the names of its guests are theirs on all nodes`, async (t) => {
    const settings = { "limits.presence_grace_ms": 60_000 };
    const { nodes } = await clusterForThisTest(t, { nodes: 2, settings });
    const [one, two] = nodes;
    const room = unique("room");
    const grace = await connect(t, socketIo("4.8", "upgrade"), one, { room });
    await grace.identify(unique("grace"));
    const device = unique("device");
    const heidi = await connect(t, wsJson, one, { device });
    await heidi.identify(unique("heidi"));
    await one.exitOn(signal);
    const onTwo = await connect(t, wsJson, two);
    assertRefused(await onTwo.ask("new user", grace.name), "name_taken");
    await one.start();
    const onOne = await connect(t, wsJson, one);
    assertRefused(await onOne.ask("new user", grace.name.toUpperCase()), "name_taken");
    const back = await connectWithToken(t, socketIo("4.8", "websocket"), two, grace.token);
    assert.equal(back.name, grace.name);
    assert.ok(back.welcome.rooms.some((it) => it.room === room));
    const again = await connect(t, wsJson, two, { device });
    assert.equal(assertOk(await again.ask("new user", { name: heidi.name })).user, heidi.name);
  });
}

/** Claims a name until it is free. */
function claimed(client, name) {
  return waitUntil(
    `the name ${name} to be free`,
    async () => {
      const answer = await client.ask("new user", name);
      if (!answer.ok) assertRefused(answer, "name_taken");
      return answer.ok;
    },
    LONG_TIMEOUT_MS,
  );
}
