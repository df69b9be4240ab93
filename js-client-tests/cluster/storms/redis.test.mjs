// Redis fails in every way it can, and nobody misses a message.

import assert from "node:assert/strict";
import { test } from "node:test";

import { DEAF } from "../../support/complaints.mjs";
import { RedisCluster } from "../../support/redis.mjs";
import { storm } from "../../support/storm.mjs";

/** How late a message may be while Redis is down. */
const late = 5000;

const deaf = { complaints: DEAF, late };

test("Redis is restarted", (t) =>
  storm(t, deaf, async ({ cluster, crowd }) => {
    await cluster.redis.restart();
    await crowd.progress(200);
    await cluster.ready();
  }));

test("Redis is down for a while", (t) =>
  storm(t, deaf, async ({ cluster, crowd }) => {
    await cluster.redis.crash();
    await crowd.progress(700);
    await cluster.redis.comeBack();
    await cluster.ready();
  }));

test("Redis sleeps for five seconds", (t) =>
  storm(t, deaf, async ({ cluster, crowd }) => {
    const awake = cluster.redis.sleep(5);
    await crowd.progress(300);
    await awake;
    await cluster.ready();
  }));

test("Redis is stopped in the middle, and goes on", (t) =>
  storm(t, deaf, async ({ cluster, crowd }) => {
    cluster.redis.pause();
    await crowd.progress(700);
    cluster.redis.resume();
    await cluster.ready();
  }));

test("those who listen to Redis are thrown out again and again", (t) =>
  storm(t, deaf, async ({ cluster, crowd }) => {
    for (let n = 0; n < 20; n += 1) {
      assert.notEqual(await cluster.redis.endListeners(), 0);
      await crowd.progress(30);
    }
    await cluster.ready();
  }));

test("Redis forgets everything, again and again", (t) =>
  storm(t, { late }, async ({ cluster, crowd }) => {
    for (let n = 0; n < 10; n += 1) {
      await cluster.redis.flush();
      await crowd.progress(40);
    }
  }));

test("a primary of a Redis Cluster is killed, and comes back as a replica", (t) =>
  storm(t, { ...deaf, redis: new RedisCluster() }, async ({ cluster, crowd }) => {
    const lost = await cluster.redis.losePrimary();
    await crowd.progress(200);
    await lost.comeBack();
    await cluster.ready();
  }));
