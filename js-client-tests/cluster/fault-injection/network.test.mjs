// The network between one node and its engines fails, in both directions or in one.

import { test } from "node:test";

import { BUS_DISCONNECTED, STORE_UNAVAILABLE } from "../../support/expected-log.mjs";
import { runWithFault } from "../../support/fault-injection.mjs";
import { delay } from "../../support/timers.mjs";

/** How long the network is gone: not so long that the others take the node for dead, and longer. */
const CUT_MS = 5000;
const LONG_CUT_MS = 12_000;

const cuts = { proxies: true, expectedLog: [...BUS_DISCONNECTED, ...STORE_UNAVAILABLE] };

/** What happens to the links of one node. */
const CUTS = {
  "is cut from Redis": ({ redis }) => redis.cut(),
  "is cut from PostgreSQL": ({ postgres }) => postgres.cut(),
  "is cut from both": ({ redis, postgres }) => {
    redis.cut();
    postgres.cut();
  },
  "is in a black hole": ({ redis, postgres }) => {
    redis.blackhole();
    postgres.blackhole();
  },
  "hears Redis, and is not heard": ({ redis }) => redis.blackholeRequests(),
  "is heard by Redis, and hears nothing": ({ redis }) => redis.blackholeReplies(),
  "hears PostgreSQL, and is not heard": ({ postgres }) => postgres.blackholeRequests(),
  "is heard by PostgreSQL, and hears nothing": ({ postgres }) => postgres.blackholeReplies(),
};

for (const [what, cut] of Object.entries(CUTS)) {
  test(`one node ${what}`, (t) => runWithFault(t, cuts, (it) => cutAndHeal(it, cut, CUT_MS)));
}

test("one node is cut from both for so long that the others take it for dead", (t) =>
  runWithFault(t, { ...cuts, allowFlapping: true }, (it) =>
    cutAndHeal(it, CUTS["is cut from both"], LONG_CUT_MS),
  ));

async function cutAndHeal({ cluster }, cut, ms) {
  const [proxies] = cluster.proxies;
  cut(proxies);
  await delay(ms);
  for (const it of Object.values(proxies)) it.restore();
  await cluster.waitUntilReady();
}
