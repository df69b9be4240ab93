// Several nodes on this machine, and the engines that they share.

import { readFileSync } from "node:fs";

import { Cluster } from "../support/cluster.mjs";
import { Postgres } from "../support/postgres.mjs";
import { Redis } from "../support/redis.mjs";
import { cpuOf } from "./processor-time.mjs";
import { socketio } from "./servers.mjs";

/** PostgreSQL's own durability, unlike in tests: commits wait for the disk. */
const DURABLE = { fsync: "on", full_page_writes: "on", shared_buffers: "128MB" };

/** A single server, to see what the engines cost. */
export async function singleNode(kind) {
  const server = await kind();
  const [cpu, stop] = [() => server.cpu(), () => server.stop()];
  return new Nodes({ ports: [server.port], cpu, engines: {}, stop });
}

/** Roomcast on PostgreSQL and Redis. */
export async function roomcastNodes(count) {
  const cluster = new Cluster({ nodes: count, logging: { filter: "warn" } });
  const postgres = new Postgres(DURABLE);
  cluster.postgres = postgres;
  try {
    await cluster.start();
    const fsync = await postgres.sql("SHOW fsync");
    if (fsync !== "on") throw new Error("PostgreSQL does not wait for the disk");
    return new Nodes({
      ports: cluster.nodes.map(({ port }) => port),
      cpu: () => sum(cluster.nodes.map(({ pid }) => cpuOf(pid))),
      engines: { PostgreSQL: await postmaster(postgres), Redis: await pidOf(cluster.redis) },
      stop: () => cluster.stop(),
    });
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

/** The official server with its Redis adapter. */
export async function socketioNodes(count) {
  const redis = new Redis();
  const servers = [];
  const stop = async () => {
    await Promise.all(servers.map((it) => it.stop()));
    await redis.stop();
  };
  try {
    await redis.start();
    for (let n = 0; n < count; n += 1) servers.push(await socketio(redis));
    return new Nodes({
      ports: servers.map(({ port }) => port),
      cpu: () => sum(servers.map((it) => it.cpu())),
      engines: { Redis: await pidOf(redis) },
      stop,
    });
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Running nodes, connected to each other. */
class Nodes {
  #engines;

  constructor({ ports, cpu, engines, stop }) {
    this.ports = ports;
    /** Seconds of processor time of all nodes, without the engines. */
    this.cpu = cpu;
    this.stop = stop;
    this.#engines = engines;
  }

  /** The same of each engine, by name. */
  enginesCpu() {
    return Object.entries(this.#engines).map(([name, pids]) => [name, sum(pids().map(cpuOf))]);
  }
}

/** Finds PostgreSQL's processes, which start and end. */
async function postmaster(postgres) {
  const pid = Number.parseInt(await postgres.sql("SELECT pg_read_file('postmaster.pid')"), 10);
  const children = () => readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1");
  return () => [pid, ...children().trim().split(" ").map(Number)];
}

async function pidOf(redis) {
  const pid = Number(/process_id:(\d+)/.exec(await redis.command("INFO", "server"))[1]);
  return () => [pid];
}

function sum(list) {
  return list.reduce((all, it) => all + it, 0);
}
