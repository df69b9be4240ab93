// `check-config` connects to PostgreSQL and Redis, and reports what is wrong with each; so does a
// node that starts.

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

test("reachable engines pass", async () => {
  for (const store of [postgres.url, postgres.passwordUrl]) {
    for (const bus of [redis.url, redisWithPassword.url, cluster.url]) {
      const { code, stderr } = await check({ store, bus });
      assert.equal(code, 0, stderr);
    }
  }
});

/** Settings with a mistake, and what the report must name. */
const MISTAKES = {
  "a PostgreSQL that cannot be reached": () => ({
    store: `postgres://roomcast@127.0.0.1:${unusedPort}/roomcast`,
    names: ["store", /refused/i],
  }),
  "a database that does not exist": () => ({
    store: `postgres://roomcast@127.0.0.1:${postgres.port}/another`,
    names: ["store", "another", /does not exist/],
  }),
  "a wrong password of PostgreSQL": () => ({
    store: `postgres://guarded:wrong-secret@127.0.0.1:${postgres.port}/roomcast`,
    names: ["store", "guarded", /password/],
  }),
  "a user that PostgreSQL does not know": () => ({
    store: `postgres://unknown@127.0.0.1:${postgres.port}/roomcast`,
    names: ["store", "unknown", /does not exist/],
  }),
  "a Redis that cannot be reached": () => ({
    bus: `redis://127.0.0.1:${unusedPort}`,
    names: ["bus", /refused/i],
  }),
  "a missing Redis password": () => ({
    bus: `redis://127.0.0.1:${redisWithPassword.port}`,
    names: ["bus", /auth|password/i],
  }),
  "a wrong password of Redis": () => ({
    bus: `redis://:wrong-secret@127.0.0.1:${redisWithPassword.port}`,
    names: ["bus", /auth|password/i],
  }),
  "a list without a member of a Redis Cluster": () => ({
    bus: [redis.url],
    names: ["bus", /cluster/i],
  }),
  "a server that is not Redis": () => ({
    bus: `redis://127.0.0.1:${postgres.port}`,
    names: ["bus"],
  }),
};

for (const [what, mistake] of Object.entries(MISTAKES)) {
  test(`${what} is reported`, async () => {
    const { store = postgres.url, bus = redis.url, names } = mistake();
    const { code, stdout, stderr } = await check({ store, bus });
    assert.notEqual(code, 0, "check-config accepted it");
    for (const name of names) assert.match(stderr, new RegExp(name), `not named: ${name}`);
    for (const secret of ["wrong-secret", STORE_PASSWORD, BUS_PASSWORD]) {
      assert.ok(!(stdout + stderr).includes(secret), "a password is in the output");
    }
  });
}

test("both engines are tried, and each mistake is reported", async () => {
  const { code, stderr } = await check({
    store: `postgres://roomcast@127.0.0.1:${unusedPort}/roomcast`,
    bus: `redis://127.0.0.1:${unusedPort}`,
  });
  assert.notEqual(code, 0);
  for (const name of ["store", "bus"]) assert.match(stderr, new RegExp(name));
});

test("a node does not start without its database, and reports why", async () => {
  const store = `postgres://roomcast@127.0.0.1:${unusedPort}/roomcast`;
  const { code, stderr } = await runRoomcast("--config", settings({ store, bus: redis.url }));
  assert.equal(code, 1, `not exit code 1: ${stderr}`);
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
