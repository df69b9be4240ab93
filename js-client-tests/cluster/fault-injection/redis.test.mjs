// Redis fails in every way: no client misses a message.

import assert from "node:assert/strict";
import { test } from "node:test";

import { BUS_DISCONNECTED } from "../../support/expected-log.mjs";
import { runWithFault } from "../../support/fault-injection.mjs";
import { RedisCluster } from "../../support/redis.mjs";

/** The longest delivery delay while Redis is down. */
const delayMsMax = 5000;

const options = { expectedLog: BUS_DISCONNECTED, delayMsMax };

test("Redis is restarted", (t) =>
  runWithFault(t, options, async ({ cluster, load }) => {
    await cluster.redis.restart();
    await load.progress(200);
    await cluster.waitUntilReady();
  }));

test("Redis is down under load", (t) =>
  runWithFault(t, options, async ({ cluster, load }) => {
    await cluster.redis.crash();
    await load.progress(700);
    await cluster.redis.startAgain();
    await cluster.waitUntilReady();
  }));

test("Redis blocks for five seconds", (t) =>
  runWithFault(t, options, async ({ cluster, load }) => {
    const awake = cluster.redis.sleep(5);
    await load.progress(300);
    await awake;
    await cluster.waitUntilReady();
  }));

test("Redis is paused under load", (t) =>
  runWithFault(t, options, async ({ cluster, load }) => {
    cluster.redis.pause();
    await load.progress(700);
    cluster.redis.resume();
    await cluster.waitUntilReady();
  }));

test("the subscribers of Redis are disconnected again and again", (t) =>
  runWithFault(t, options, async ({ cluster, load }) => {
    for (let n = 0; n < 20; n += 1) {
      assert.notEqual(await cluster.redis.endListeners(), 0);
      await load.progress(30);
    }
    await cluster.waitUntilReady();
  }));

test("Redis loses all keys, again and again", (t) =>
  runWithFault(t, { delayMsMax }, async ({ cluster, load }) => {
    for (let n = 0; n < 10; n += 1) {
      await cluster.redis.flush();
      await load.progress(40);
    }
  }));

test("a primary of a Redis Cluster is killed, and returns as a replica", (t) =>
  runWithFault(t, { ...options, redis: new RedisCluster() }, async ({ cluster, load }) => {
    const lost = await cluster.redis.losePrimary();
    await load.progress(200);
    await lost.startAgain();
    await cluster.waitUntilReady();
  }));
