// The network between one node and its engines fails, in both directions or in one.

import { test } from "node:test";

import { DEAF, STORELESS } from "../../support/complaints.mjs";
import { storm } from "../../support/storm.mjs";
import { lasting } from "../../support/ticks.mjs";

/** How long the network is gone. */
const CUT_MS = 6000;

const cuts = { links: true, complaints: [...DEAF, ...STORELESS] };

/** What happens to the links of one node. */
const CUTS = {
  "is cut from Redis": ({ redis }) => redis.cut(),
  "is cut from PostgreSQL": ({ postgres }) => postgres.cut(),
  "is cut from both": ({ redis, postgres }) => [redis, postgres].forEach((it) => it.cut()),
  "is in a black hole": ({ redis, postgres }) => [redis, postgres].forEach((it) => it.swallow()),
  "hears Redis, and is not heard": ({ redis }) => redis.swallowRequests(),
  "is heard by Redis, and hears nothing": ({ redis }) => redis.swallowAnswers(),
  "hears PostgreSQL, and is not heard": ({ postgres }) => postgres.swallowRequests(),
  "is heard by PostgreSQL, and hears nothing": ({ postgres }) => postgres.swallowAnswers(),
};

for (const [what, cut] of Object.entries(CUTS)) {
  test(`one node ${what}`, (t) =>
    storm(t, cuts, async ({ cluster }) => {
      const [links] = cluster.links;
      cut(links);
      await lasting(CUT_MS);
      for (const it of Object.values(links)) it.heal();
      await cluster.ready();
    }));
}
