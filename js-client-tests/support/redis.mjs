// Redis servers for tests: a single one, or a Redis Cluster of six.

import assert from "node:assert/strict";

import { runProgram } from "./command.mjs";
import { EngineProcess } from "./engine-process.mjs";
import { freePort } from "./free-port.mjs";
import { LONG_TIMEOUT_MS } from "./timeouts.mjs";
import { waitUntil } from "./wait-until.mjs";

const READY = /Ready to accept connections/;

/** After this time the members of a Redis Cluster replace a primary that does not answer. */
const NODE_TIMEOUT_MS = 1500;

/** The number of primaries; each has one replica. */
const PRIMARIES = 3;

/** The password of a server that requires one. */
export const REDIS_PASSWORD = "a-redis-password-for-tests";

export class Redis extends EngineProcess {
  #settings;

  /** `settings` are those of redis.conf. */
  constructor(settings = {}) {
    super({ name: "redis", ready: READY, end: "SIGKILL" });
    this.#settings = settings;
  }

  launchCommand() {
    const settings = {
      port: this.port,
      bind: "127.0.0.1",
      dir: this.home,
      save: "",
      appendonly: "no",
      "enable-debug-command": "yes",
      "repl-diskless-sync-delay": 0,
      ...this.#settings,
    };
    const args = Object.entries(settings).flatMap(([key, value]) => [`--${key}`, `${value}`]);
    return { program: "redis-server", args };
  }

  /** The value of the setting `bus`. */
  get url() {
    const { requirepass: password } = this.#settings;
    return `redis://${password === undefined ? "" : `:${password}@`}127.0.0.1:${this.port}`;
  }

  /** Blocks the server for this time; resolves when it is over. */
  sleep(seconds) {
    return this.command("DEBUG", "SLEEP", `${seconds}`);
  }

  /** Ends the connections of all subscribers; returns how many there were. */
  async endListeners() {
    return Number(await this.command("CLIENT", "KILL", "TYPE", "pubsub"));
  }

  /** Deletes all keys. */
  flush() {
    return this.command("FLUSHALL");
  }

  /** The channels that have subscribers. */
  async channels() {
    const kinds = [
      ["PUBSUB", "CHANNELS"],
      ["PUBSUB", "SHARDCHANNELS"],
    ];
    const answers = await Promise.all(kinds.map((it) => this.command(...it)));
    return answers.flatMap((it) => it.split("\n")).filter(Boolean);
  }

  /** Runs one command; returns the output of redis-cli. */
  async command(...words) {
    const done = await runProgram(
      "redis-cli",
      ["-p", `${this.port}`, "-e", ...words],
      this.#password,
    );
    assert.equal(done.code, 0, `${words}: ${done.stdout}${done.stderr}`);
    return done.stdout.trim();
  }

  get #password() {
    const { requirepass } = this.#settings;
    return { env: requirepass === undefined ? {} : { REDISCLI_AUTH: requirepass } };
  }
}

/** A Redis Cluster: each slot has a primary, and a replica that takes over. */
export class RedisCluster {
  #members = [];

  async start() {
    for (let n = 0; n < 2 * PRIMARIES; n += 1) {
      this.#members.push(
        new Redis({
          "cluster-enabled": "yes",
          "cluster-port": await freePort(),
          "cluster-node-timeout": NODE_TIMEOUT_MS,
        }),
      );
    }
    await Promise.all(this.#members.map((it) => it.start()));
    const addresses = this.#members.map(({ port }) => `127.0.0.1:${port}`);
    const create = ["--cluster", "create", ...addresses, "--cluster-replicas", "1"];
    const made = await runProgram("redis-cli", [...create, "--cluster-yes"]);
    assert.equal(made.code, 0, made.stdout + made.stderr);
    await this.whole(this.#members);
    return this;
  }

  /** The value of the setting `bus`. */
  get url() {
    return this.#members.map(({ url }) => url);
  }

  /** Ends a primary; returns it when its replica has taken over. */
  async losePrimary() {
    const lost = (await primariesOf(this.#members))[0];
    await lost.crash();
    await this.whole(this.#members.filter((it) => it !== lost));
    return lost;
  }

  /** Waits until the members agree that every slot has a primary, and each replica follows one. */
  whole(members) {
    return waitUntil("a complete Redis Cluster", () => isWhole(members), LONG_TIMEOUT_MS);
  }

  async stop() {
    await Promise.all(this.#members.map((it) => it.stop()));
  }
}

async function isWhole(members) {
  const infos = await Promise.all(members.map((it) => it.command("CLUSTER", "INFO")));
  if (infos.some((it) => !it.includes("cluster_state:ok"))) return false;
  const roles = await Promise.all(members.map((it) => it.command("ROLE")));
  if (roles.some((it) => it.startsWith("slave") && !it.includes("connected"))) return false;
  return (await primariesOf(members)).length === PRIMARIES;
}

/** The members that own slots. */
async function primariesOf(members) {
  const roles = await Promise.all(members.map((it) => it.command("ROLE")));
  return members.filter((_, at) => roles[at].startsWith("master"));
}
