// Several nodes on one PostgreSQL and one Redis, and ways to break what is between them.

import { writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before } from "node:test";
import { BusBarrier } from "./bus-barrier.mjs";
import { freePort } from "./free-port.mjs";
import { Postgres } from "./postgres.mjs";
import { Redis } from "./redis.mjs";
import { Server } from "./server.mjs";
import { TcpProxy } from "./tcp-proxy.mjs";
import { LONG_TIMEOUT_MS } from "./timeouts.mjs";
import { SECRET } from "./tokens.mjs";
import { waitUntil } from "./wait-until.mjs";

/** The clock of a process ahead (`+10s`) or behind (`-10s`); what measures time is not moved. */
function clock(offset) {
  return {
    LD_PRELOAD: "/usr/$LIB/faketime/libfaketimeMT.so.1",
    FAKETIME: offset,
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
  };
}

/** Where the logs of nodes are left for whoever looks for a mistake. */
const LOGS = process.env.CLUSTER_LOGS;

export class Cluster {
  nodes = [];
  /** Of each node, its links: `{ postgres, redis }`. */
  proxies = [];
  postgres = new Postgres();
  #options;
  #busBarriers = [];

  /**
   * `nodes` is how many, `settings` and `complaints` are those of each, `redis` what carries, and
   * `clocks` says how far each clock is off. With `links` each node has its own network to the
   * engines, and then `translations` are what becomes of the bytes that each sends to Redis. With
   * `guarded` PostgreSQL asks for a password. `logging` is what the nodes log.
   */
  constructor({
    nodes = 3,
    settings = {},
    expectedLog = [],
    redis = new Redis(),
    proxies = false,
    clocks = [],
    rewrites = [],
    passwordAuth = false,
    logging = {},
  } = {}) {
    this.redis = redis;
    this.#options = {
      nodes,
      settings,
      expectedLog,
      proxies,
      clocks,
      rewrites,
      passwordAuth,
      logging,
    };
  }

  async start() {
    await Promise.all([this.postgres.start(), this.redis.start()]);
    for (let n = 0; n < this.#options.nodes; n += 1) this.nodes.push(await this.#node(n));
    await Promise.all(this.nodes.map((it) => it.start()));
    await this.waitUntilReady();
    return this;
  }

  /** Waits until these nodes say that they hear each other. */
  async waitUntilReady(nodes = this.nodes) {
    await Promise.all(nodes.map((it) => answers(it, 200)));
  }

  /** Waits until a node says that it is not to be sent anybody. */
  async waitUntilUnready(node) {
    await answers(node, 503);
  }

  /**
   * The cluster as one server, of which each connection comes to the next node: whoever speaks of it
   * need not know that there are several. Its settings have the space `SENTRIES.space`.
   */
  get roundRobin() {
    const { nodes } = this;
    const busBarrier = new BusBarrier(nodes);
    this.#busBarriers.push(busBarrier);
    let turn = 0;
    return {
      secret: SECRET,
      settle: () => busBarrier.settle(),
      get url() {
        turn += 1;
        return nodes[turn % nodes.length].url;
      },
      get data() {
        return nodes[0].data;
      },
    };
  }

  /** Everything heals, the nodes leave as they should, and then the engines go. */
  async stop() {
    for (const it of this.#allProxies()) it.restore();
    for (const it of this.#busBarriers) await it.end();
    const engines = [this.postgres, this.redis];
    const ends = await Promise.allSettled(this.nodes.map((it) => it.stop(LONG_TIMEOUT_MS)));
    if (LOGS) await Promise.all(this.nodes.map((it, at) => keepLog(it, at)));
    for (const it of this.#allProxies()) it.stop();
    ends.push(...(await Promise.allSettled(engines.map((it) => it.stop()))));
    for (const { reason } of ends) if (reason) throw reason;
    for (const it of this.nodes) it.assertCleanLog();
  }

  async #node(n) {
    const { settings, expectedLog, clocks, logging } = this.#options;
    const engines = await this.#startProxies(n);
    return new Server({
      settings: { "token.secret": SECRET, ...engines, ...settings },
      expectedLog,
      logging,
      env: clocks[n] ? clock(clocks[n]) : {},
      port: await freePort(),
    });
  }

  /** Where a node finds its engines. */
  async #startProxies(n) {
    const store = this.#options.passwordAuth ? this.postgres.passwordUrl : this.postgres.url;
    if (!this.#options.proxies) return { store, bus: this.redis.url };
    const postgres = new TcpProxy(this.postgres);
    const redis = new TcpProxy(this.redis, this.#options.rewrites[n]);
    this.proxies[n] = { postgres: await postgres.start(), redis: await redis.start() };
    const by = (url, engine, { port }) => url.replace(`:${engine.port}`, `:${port}`);
    return {
      store: by(store, this.postgres, postgres),
      bus: by(this.redis.url, this.redis, redis),
    };
  }

  #allProxies() {
    return this.proxies.flatMap((it) => Object.values(it));
  }
}

/** A cluster that lives as long as one test. */
export async function clusterForThisTest(t, options) {
  const cluster = new Cluster(options);
  t.after(() => cluster.stop());
  return cluster.start();
}

/** A cluster that lives as long as the test file that asks for it. */
export function clusterForThisFile(options) {
  const cluster = new Cluster(options);
  before(() => cluster.start());
  after(() => cluster.stop());
  return cluster;
}

/** Asks a node again and again how it is, until it answers so. */
function answers(node, status) {
  return waitUntil(
    `node ${node.port} to be ${status}`,
    async () => {
      const answer = await fetch(`${node.url}/health/ready`).catch(() => ({}));
      await answer.text?.();
      return answer.status === status;
    },
    LONG_TIMEOUT_MS,
  );
}

async function keepLog(node, at) {
  await writeFile(path.join(LOGS, `node-${at}.log`), `${node.log.join("\n")}\n`);
}
