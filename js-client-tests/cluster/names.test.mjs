// A guest's name is one guest's in the whole cluster.

import assert from "node:assert/strict";
import { test } from "node:test";

import { again } from "../support/again.mjs";
import { accepted, refused } from "../support/assert.mjs";
import { clusterForThisFile } from "../support/cluster.mjs";
import { unique } from "../support/names.mjs";
import { LONG_PATIENCE } from "../support/patience.mjs";
import { arrive, comeBack } from "../support/people.mjs";
import { signedIn } from "../support/session.mjs";
import { way } from "../support/socket.io.mjs";
import { plain } from "../support/ws.mjs";

const TRIES = 20;
const NAMES = 5;

const cluster = clusterForThisFile({ settings: { "limits.presence_grace_ms": 100 } });

test("a name that is claimed on one node is taken on the others, in all its forms", async (t) => {
  const name = unique("Ann");
  const [one, ...others] = cluster.nodes;
  const ann = await arrive(t, plain, one);
  accepted(await ann.ask("new user", name));
  for (const node of others) {
    const stranger = await arrive(t, way("4.8", "polling"), node);
    for (const it of [name, name.toUpperCase()]) {
      refused(await stranger.ask("new user", it), "name_taken", it);
    }
  }
});

test(`of ${TRIES} who claim a name at once, on all nodes, one has it`, async (t) => {
  for (let n = 0; n < NAMES; n += 1) {
    const name = unique("bob");
    const people = await Promise.all(
      Array.from({ length: TRIES }, (_, at) => arrive(t, plain, cluster.nodes[at % 3])),
    );
    const answers = await Promise.all(people.map((it) => it.ask("new user", name)));
    const winners = answers.filter(({ ok }) => ok);
    assert.equal(winners.length, 1, `${winners.length} have the name`);
    for (const it of answers.filter(({ ok }) => !ok)) refused(it, "name_taken");
    for (const it of people) it.close();
  }
});

test("a guest comes back on another node, and the name is free when they stay away", async (t) => {
  const [one, two, three] = cluster.nodes;
  const carol = await arrive(t, plain, one);
  await carol.identify(unique("carol"));
  const again = await comeBack(t, way("4.8", "websocket"), two, carol.token);
  assert.equal(again.name, carol.name);
  carol.close();
  const next = await arrive(t, plain, three);
  refused(await next.ask("new user", carol.name), "name_taken");
  again.close();
  await claimed(next, carol.name);
});

test("a name of a sign-in on one node is nobody's on another", async (t) => {
  const [one, two] = cluster.nodes;
  const name = unique("dave");
  const headers = await signedIn(one, { name });
  const dave = await (await arrive(t, plain, one, { headers })).welcomed();
  assert.equal(dave.name, name);
  const other = await arrive(t, plain, two);
  refused(await other.ask("new user", name), "name_taken");
});

test("the name of a guest whose node was killed is free after a while", async (t) => {
  const [, , three] = cluster.nodes;
  const [name, kept] = [unique("erin"), unique("frank")];
  for (const it of [name, kept])
    accepted(await (await arrive(t, plain, three)).ask("new user", it));
  await three.kill9();
  const other = await arrive(t, plain, cluster.nodes[0]);
  await claimed(other, name);
  await three.start();
  await cluster.ready();
  const late = await arrive(t, plain, three);
  refused(await late.ask("new user", name), "name_taken");
  accepted(await late.ask("new user", kept));
});

/** Asks for a name until it is given. */
function claimed(client, name) {
  return again(
    `the name ${name} to be free`,
    async () => {
      const answer = await client.ask("new user", name);
      if (!answer.ok) refused(answer, "name_taken");
      return answer.ok;
    },
    LONG_PATIENCE,
  );
}
