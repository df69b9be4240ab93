// `check-config` tries the engines, and says what is wrong with each; so does a node that starts.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { runRoomcast } from "../support/command.mjs";
import { freePort } from "../support/free-port.mjs";
import { Postgres, POSTGRES_PASSWORD as STORE_PASSWORD } from "../support/postgres.mjs";
import { REDIS_PASSWORD as BUS_PASSWORD, Redis, RedisCluster } from "../support/redis.mjs";
import { tempFile } from "../support/temp-file.mjs";

const postgres = new Postgres();
const redis = new Redis();
const redisWithPassword = new Redis({ requirepass: BUS_PASSWORD });
const cluster = new RedisCluster();
const engines = [postgres, redis, redisWithPassword, cluster];

let unusedPort;

before(async () => {
  unusedPort = await freePort();
  await Promise.all(engines.map((it) => it.start()));
});
after(() => Promise.all(engines.map((it) => it.stop())));

test("engines that answer pass", async () => {
  for (const store of [postgres.url, postgres.passwordUrl]) {
    for (const bus of [redis.url, redisWithPassword.url, cluster.url]) {
      const { code, stderr } = await check({ store, bus });
      assert.equal(code, 0, stderr);
    }
  }
});

/** Settings with a mistake: which one it is, and what the complaint has to say. */
const MISTAKES = {
  "a PostgreSQL that is not there": () => ({
    store: `postgres://roomcast@127.0.0.1:${unusedPort}/roomcast`,
    names: ["store", /refused/i],
  }),
  "a database that is not there": () => ({
    store: `postgres://roomcast@127.0.0.1:${postgres.port}/another`,
    names: ["store", "another", /does not exist/],
  }),
  "a wrong password of PostgreSQL": () => ({
    store: `postgres://guarded:wrong-secret@127.0.0.1:${postgres.port}/roomcast`,
    names: ["store", "guarded", /password/],
  }),
  "a user whom PostgreSQL does not know": () => ({
    store: `postgres://nobody@127.0.0.1:${postgres.port}/roomcast`,
    names: ["store", "nobody", /does not exist/],
  }),
  "a Redis that is not there": () => ({
    bus: `redis://127.0.0.1:${unusedPort}`,
    names: ["bus", /refused/i],
  }),
  "no password for a Redis that wants one": () => ({
    bus: `redis://127.0.0.1:${redisWithPassword.port}`,
    names: ["bus", /auth|password/i],
  }),
  "a wrong password of Redis": () => ({
    bus: `redis://:wrong-secret@127.0.0.1:${redisWithPassword.port}`,
    names: ["bus", /auth|password/i],
  }),
  "a list of which none is in a Redis Cluster": () => ({
    bus: [redis.url],
    names: ["bus", /cluster/i],
  }),
  "something that is no Redis": () => ({
    bus: `redis://127.0.0.1:${postgres.port}`,
    names: ["bus"],
  }),
};

for (const [what, mistake] of Object.entries(MISTAKES)) {
  test(`${what} is named`, async () => {
    const { store = postgres.url, bus = redis.url, names } = mistake();
    const { code, stdout, stderr } = await check({ store, bus });
    assert.notEqual(code, 0, "it passed");
    for (const name of names) assert.match(stderr, new RegExp(name), `not named: ${name}`);
    for (const secret of ["wrong-secret", STORE_PASSWORD, BUS_PASSWORD]) {
      assert.ok(!(stdout + stderr).includes(secret), "a password is shown");
    }
  });
}

test("both are tried, and what is wrong with each is said", async () => {
  const { code, stderr } = await check({
    store: `postgres://roomcast@127.0.0.1:${unusedPort}/roomcast`,
    bus: `redis://127.0.0.1:${unusedPort}`,
  });
  assert.notEqual(code, 0);
  for (const name of ["store", "bus"]) assert.match(stderr, new RegExp(name));
});

test("a node does not start without its database, and says why", async () => {
  const store = `postgres://roomcast@127.0.0.1:${unusedPort}/roomcast`;
  const { code, stderr } = await runRoomcast("--config", settings({ store, bus: redis.url }));
  assert.equal(code, 1, `a fault and no wrong setting: ${stderr}`);
  const sent = /the PostgreSQL server cannot be reached: .*refused \(os error \d+\)$/m;
  assert.match(stderr, sent);
  assert.equal(stderr.match(/refused/g).length, 1, "once");
});

/** Runs the command with these engines. */
function check(engines) {
  return runRoomcast("check-config", "--config", settings(engines));
}

function settings({ store, bus }) {
  return tempFile("engines.toml", `store = "${store}"\nbus = ${JSON.stringify(bus)}\n`);
}
