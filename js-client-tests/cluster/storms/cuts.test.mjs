// The network between one node and its engines fails, in both directions or in one.

import { test } from "node:test";

import { DEAF, STORELESS } from "../../support/complaints.mjs";
import { storm } from "../../support/storm.mjs";
import { lasting } from "../../support/ticks.mjs";

/** How long the network is gone: not so long that the others take the node for dead, and longer. */
const CUT_MS = 5000;
const LONG_CUT_MS = 12_000;

const cuts = { links: true, complaints: [...DEAF, ...STORELESS] };

/** What happens to the links of one node. */
const CUTS = {
  "is cut from Redis": ({ redis }) => redis.cut(),
  "is cut from PostgreSQL": ({ postgres }) => postgres.cut(),
  "is cut from both": ({ redis, postgres }) => {
    redis.cut();
    postgres.cut();
  },
  "is in a black hole": ({ redis, postgres }) => {
    redis.swallow();
    postgres.swallow();
  },
  "hears Redis, and is not heard": ({ redis }) => redis.swallowRequests(),
  "is heard by Redis, and hears nothing": ({ redis }) => redis.swallowAnswers(),
  "hears PostgreSQL, and is not heard": ({ postgres }) => postgres.swallowRequests(),
  "is heard by PostgreSQL, and hears nothing": ({ postgres }) => postgres.swallowAnswers(),
};

for (const [what, cut] of Object.entries(CUTS)) {
  test(`one node ${what}`, (t) => storm(t, cuts, (it) => cutAndHeal(it, cut, CUT_MS)));
}

test("one node is cut from both for so long that the others take it for dead", (t) =>
  storm(t, { ...cuts, flap: true }, (it) => cutAndHeal(it, CUTS["is cut from both"], LONG_CUT_MS)));

async function cutAndHeal({ cluster }, cut, ms) {
  const [links] = cluster.links;
  cut(links);
  await lasting(ms);
  for (const it of Object.values(links)) it.heal();
  await cluster.ready();
}
