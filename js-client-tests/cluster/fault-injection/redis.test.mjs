// Redis fails in every way it can, and nobody misses a message.

import assert from "node:assert/strict";
import { test } from "node:test";

import { BUS_DISCONNECTED } from "../../support/expected-log.mjs";
import { runWithFault } from "../../support/fault-injection.mjs";
import { RedisCluster } from "../../support/redis.mjs";

/** How late a message may be while Redis is down. */
const delayMsMax = 5000;

const options = { expectedLog: BUS_DISCONNECTED, delayMsMax };

test("Redis is restarted", (t) =>
  runWithFault(t, options, async ({ cluster, load }) => {
    await cluster.redis.restart();
    await load.progress(200);
    await cluster.waitUntilReady();
  }));

test("Redis is down for a while", (t) =>
  runWithFault(t, options, async ({ cluster, load }) => {
    await cluster.redis.crash();
    await load.progress(700);
    await cluster.redis.startAgain();
    await cluster.waitUntilReady();
  }));

test("Redis sleeps for five seconds", (t) =>
  runWithFault(t, options, async ({ cluster, load }) => {
    const awake = cluster.redis.sleep(5);
    await load.progress(300);
    await awake;
    await cluster.waitUntilReady();
  }));

test("Redis is stopped in the middle, and goes on", (t) =>
  runWithFault(t, options, async ({ cluster, load }) => {
    cluster.redis.pause();
    await load.progress(700);
    cluster.redis.resume();
    await cluster.waitUntilReady();
  }));

test("those who listen to Redis are thrown out again and again", (t) =>
  runWithFault(t, options, async ({ cluster, load }) => {
    for (let n = 0; n < 20; n += 1) {
      assert.notEqual(await cluster.redis.endListeners(), 0);
      await load.progress(30);
    }
    await cluster.waitUntilReady();
  }));

test("Redis forgets everything, again and again", (t) =>
  runWithFault(t, { delayMsMax }, async ({ cluster, load }) => {
    for (let n = 0; n < 10; n += 1) {
      await cluster.redis.flush();
      await load.progress(40);
    }
  }));

test("a primary of a Redis Cluster is killed, and comes back as a replica", (t) =>
  runWithFault(t, { ...options, redis: new RedisCluster() }, async ({ cluster, load }) => {
    const lost = await cluster.redis.losePrimary();
    await load.progress(200);
    await lost.startAgain();
    await cluster.waitUntilReady();
  }));
