// Several nodes on one PostgreSQL and one Redis, with proxies that can break their connections.

import { writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before } from "node:test";

import { BARRIER, BusBarrier } from "./bus-barrier.mjs";
import { freePort } from "./free-port.mjs";
import { Postgres } from "./postgres.mjs";
import { Redis } from "./redis.mjs";
import { Server } from "./server.mjs";
import { TcpProxy } from "./tcp-proxy.mjs";
import { LONG_TIMEOUT_MS } from "./timeouts.mjs";
import { SECRET } from "./tokens.mjs";
import { waitUntil } from "./wait-until.mjs";

/**
 * Environment that moves the wall clock of a process (`+10s`, `-10s`); its monotonic clock stays.
 */
export function clock(offset) {
  return {
    LD_PRELOAD: "/usr/$LIB/faketime/libfaketimeMT.so.1",
    FAKETIME: offset,
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
  };
}

/** The folder in which the nodes' logs are kept for debugging. */
const LOGS = process.env.CLUSTER_LOGS;

export class Cluster {
  nodes = [];
  /** The proxies of each node: `{ postgres, redis }`. */
  proxies = [];
  postgres = new Postgres();
  #options;
  #busBarriers = [];

  /**
   * `nodes` is the number of nodes, `settings` and `expectedLog` apply to each, `redis` is the bus,
   * and `clocks` holds each node's clock offset. With `proxies`, each node has its own TCP proxies
   * to PostgreSQL and Redis, and `rewrites` holds functions that rewrite what a node sends to
   * Redis. With `passwordAuth`, PostgreSQL asks for a password. `logging` is the log format and
   * filter.
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

  /** Waits until these nodes are ready: each receives the announcements of the others. */
  async waitUntilReady(nodes = this.nodes) {
    await Promise.all(nodes.map((it) => answers(it, 200)));
  }

  /** Waits until a node reports that it is not ready for new connections. */
  async waitUntilUnready(node) {
    await answers(node, 503);
  }

  /**
   * The cluster as one server: each new connection goes to the next node. The cluster's settings
   * must contain the space `BARRIER.space`.
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

  /** Restores all proxies, stops the nodes, then PostgreSQL and Redis. */
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

  /** The settings that name PostgreSQL and Redis, each behind a new proxy if wanted. */
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

/** A cluster for one test. */
export async function clusterForThisTest(t, options) {
  const cluster = new Cluster(options);
  t.after(() => cluster.stop());
  return cluster.start();
}

/** A cluster for the whole test file. */
export function clusterForThisFile(options) {
  const cluster = new Cluster(options);
  before(() => cluster.start());
  after(() => cluster.stop());
  return cluster;
}

/** The same for the suites of one node, which put barriers on the bus. */
export function nodesForThisFile({ spaces = [], ...settings }, nodes = 2) {
  return clusterForThisFile({
    nodes,
    settings: { ...settings, spaces: [...spaces, BARRIER.space] },
  });
}

/** Polls the readiness of a node until it has this HTTP status. */
function answers(node, status) {
  return waitUntil(
    `node ${node.port} to answer ${status}`,
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
