// Network faults between one node and its engines, in both directions or in one.

import { test } from "node:test";

import { BUS_DISCONNECTED, STORE_UNAVAILABLE } from "../../support/expected-log.mjs";
import { runWithFault } from "../../support/fault-injection.mjs";
import { delay } from "../../support/timers.mjs";

/** The length of a fault: shorter than a node's lease, and longer. */
const CUT_MS = 5000;
const LONG_CUT_MS = 12_000;

const cuts = { proxies: true, expectedLog: [...BUS_DISCONNECTED, ...STORE_UNAVAILABLE] };

/** Faults of the proxies of one node. */
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
  "receives from Redis, and cannot send to it": ({ redis }) => redis.blackholeRequests(),
  "sends to Redis, and receives nothing": ({ redis }) => redis.blackholeReplies(),
  "receives from PostgreSQL, and cannot send to it": ({ postgres }) => postgres.blackholeRequests(),
  "sends to PostgreSQL, and receives nothing": ({ postgres }) => postgres.blackholeReplies(),
};

for (const [what, cut] of Object.entries(CUTS)) {
  test(`one node ${what}`, (t) => runWithFault(t, cuts, (it) => cutAndHeal(it, cut, CUT_MS)));
}

test("one node is cut from both until its lease expires", (t) =>
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
