// The servers that are compared: started, measured through /proc, and stopped.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { startProcess } from "../support/child-process.mjs";
import { cpuOf } from "./processor-time.mjs";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TARGET = path.join(ROOT, "target");
const BUILT = path.resolve(ROOT, process.env.CARGO_TARGET_DIR ?? "target", "release");
const ROOMCAST = process.env.ROOMCAST_BIN ?? path.join(BUILT, "roomcast");
const BARE = path.join(BUILT, "examples/bare-socketioxide");

const STOP_MS_MAX = 10_000;

/**
 * Roomcast with default settings: SQLite, full synchronous, in the build directory. `settings` are
 * further ones. `beside` is a program that it calls, whose time does not count: `{ file, setting }`,
 * where `setting` makes the setting with the program's address.
 */
export async function roomcast({ settings = [], beside } = {}) {
  const called = beside && (await node(beside.file));
  const more = called ? [beside.setting(`http://127.0.0.1:${called.port}`)] : [];
  const all = [...settings, ...more].flatMap((it) => ["--set", it]);
  await mkdir(TARGET, { recursive: true });
  const data = await mkdtemp(path.join(TARGET, "compare-"));
  const args = ["serve", "--listen", "127.0.0.1:0", "--log-filter", "warn", "--data", data, ...all];
  const child = startProcess(ROOMCAST, args, { stdio: ["ignore", "pipe", "inherit"] });
  return Server.ready(child, data, called);
}

/** A chat on the engine alone: `benches/peers/socketioxide.rs`. */
export function bareSocketioxide() {
  return Server.ready(startProcess(BARE, [], { stdio: ["ignore", "pipe", "inherit"] }));
}

/** The official server; with `redis`, one node of several. */
export function socketio(redis) {
  return node("node-socket.io.mjs", redis && { REDIS_URL: redis.url });
}

/** The `ws` module. */
export function ws() {
  return node("node-ws.mjs");
}

function node(file, more) {
  const args = ["--expose-gc", path.join(HERE, file)];
  const env = { NODE_ENV: "production", ...more };
  const child = startProcess(process.execPath, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  return Server.ready(child);
}

class Server {
  #child;

  /** `called` is the program that it calls, if there is one. */
  constructor(child, port, called) {
    this.#child = child;
    this.port = port;
    this.called = called;
  }

  static async ready(child, data, called) {
    const failed = child.exited.then(async ({ error, code }) => {
      if (data) await rm(data, { recursive: true, force: true });
      throw error ?? new Error(`the server ended with ${code}`);
    });
    failed.catch(() => {}); // later it ends because it is stopped
    const [line] = await Promise.race([once(child.stdout, "data"), failed]);
    return new Server(child, Number(/:(\d+)\n$/.exec(line)[1]), called);
  }

  /** Seconds of processor time since the start. */
  cpu() {
    return cpuOf(this.#child.pid);
  }

  /** Memory (VmRSS) in KiB. Node collects its garbage first. */
  async rssKib() {
    if (this.#child.spawnfile === process.execPath) {
      this.#child.kill("SIGUSR2");
      await sleep(1000);
    }
    const status = readFileSync(`/proc/${this.#child.pid}/status`, "latin1");
    return Number(/VmRSS:\s+(\d+)/.exec(status)[1]);
  }

  /** Stops the server and deletes its data. */
  async stop() {
    this.#child.kill("SIGTERM");
    const late = setTimeout(() => this.#child.kill("SIGKILL"), STOP_MS_MAX);
    await this.#child.exited;
    clearTimeout(late);
    await this.called?.stop();
  }
}
