// The release binary, started as in production.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";

import { readLines, startProcess } from "./child-process.mjs";
import { TIMEOUT_MS, withTimeout } from "./timeouts.mjs";

/** The program under test. */
export const ROOMCAST =
  process.env.ROOMCAST_BIN
  ?? fileURLToPath(new URL("../../target/release/roomcast", import.meta.url));

const READY =
  /^listening on (https?):\/\/127\.0\.0\.1:(\d+)((?:, (?!API)\S+?)*)(?:, API on (http:\/\/127\.0\.0\.1:\d+))?\n$/;

export class Server {
  /** The lines of standard error, of all starts together. */
  log = [];
  #settings;
  #config;
  #command;
  #env;
  #logging;
  #expectedLog = [];
  #port;
  #more;
  #scheme = "http";
  #adminUrl;
  #child;
  #isRunning = false;
  #stdout = "";
  #home;

  /**
   * `settings` are keys of roomcast.toml with dots, `config` is a file in place of them, `expectedLog` matches log lines above INFO that
   * the test provokes, `command` is a wrapper program, `env` extends the environment, `logging` is
   * the log format and filter (`null`: that of the settings), `port` the port to listen on, and `more`
   * are other addresses.
   */
  constructor({
    settings = {},
    config,
    expectedLog = [],
    command = [],
    env = {},
    logging = {},
    port = 0,
    more = [],
  } = {}) {
    this.#port = port;
    this.#more = more;
    this.#settings = settings;
    this.#config = config;
    this.#expectedLog = expectedLog;
    this.#command = command;
    this.#env = env;
    this.#logging = { format: "text", filter: "info", ...logging };
  }

  /** The token secret of the settings, if they have one. */
  get secret() {
    return this.#settings["token.secret"] ?? this.#env.ROOMCAST_TOKEN_SECRET;
  }

  get url() {
    return `${this.#scheme}://127.0.0.1:${this.#port}`;
  }

  get port() {
    return this.#port;
  }

  /** The server as back ends reach it, if the setting `admin.listen` gives them another address. */
  get admin() {
    return { url: this.#adminUrl };
  }

  get pid() {
    return this.#child.pid;
  }

  /** The data directory. */
  get data() {
    return path.join(this.#home, "data");
  }

  /** Starts, or starts again on the same port with the same data. */
  async start() {
    this.#home ??= await mkdtemp(path.join(tmpdir(), "roomcast-"));
    const config = this.#config ?? path.join(this.#home, "roomcast.toml");
    if (!this.#config) await writeFile(config, toml(this.#settings));
    const listen = [`127.0.0.1:${this.#port}`, ...this.#more].join(",");
    const [program, ...args] = [
      ...this.#command,
      ROOMCAST,
      "serve",
      "--config",
      config,
      "--listen",
      listen,
      "--data",
      this.data,
      "--log-format",
      this.#logging.format,
      ...(this.#logging.filter === null ? [] : ["--log-filter", this.#logging.filter]),
    ];
    this.#stdout = "";
    const child = startProcess(program, args, {
      env: this.#env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    readLines(child.stderr, (lines) => this.log.push(...lines));
    const ready = new Promise((resolve) => {
      child.stdout.on("data", (bytes) => {
        this.#stdout += bytes;
        if (this.#stdout.includes("\n")) resolve(this.#stdout);
      });
    });
    const line = await withTimeout(
      "the line that reports the address",
      Promise.race([ready, this.#failure()]),
    );
    const [, scheme, port, more, adminUrl] =
      READY.exec(line) ?? assert.fail(`not the line that reports the address: ${line}`);
    this.#adminUrl = adminUrl;
    this.#scheme = scheme;
    /** The other addresses, as the server prints them. */
    this.moreAddresses = more.split(", ").slice(1);
    this.#port = Number(port);
    this.#isRunning = true;
    return this;
  }

  /**
   * Sends SIGTERM and asserts that the server exits in time with code 0 and logged nothing
   * unexpected.
   */
  async stop(timeoutMs = TIMEOUT_MS) {
    if (this.#home === undefined) return; // it was never started
    try {
      if (!this.#isRunning) return; // the test has stopped it
      this.#child.kill("SIGTERM");
      const { code, signal } = await withTimeout(
        "the server's exit",
        this.#child.exited,
        timeoutMs,
      );
      assert.equal(code, 0, `exit by ${signal ?? code}\n${this.log.join("\n")}`);
      assert.match(this.#stdout, READY, "standard output is exactly one line");
      this.assertCleanLog();
    } finally {
      this.#child?.kill("SIGKILL");
      await rm(this.#home, { recursive: true, force: true });
    }
  }

  /** Kills the process; the data stay for the next `start`. */
  async kill9() {
    this.#isRunning = false;
    this.#child.kill("SIGKILL");
    await withTimeout("the end of the killed server", this.#child.exited);
  }

  /** Stops and starts again, like an upgrade. */
  async restart() {
    this.#child.kill("SIGTERM");
    const { code } = await withTimeout("the server's exit", this.#child.exited);
    assert.equal(code, 0, this.log.join("\n"));
    return this.start();
  }

  /** Sends a signal; resolves with the exit code or signal. */
  async exitOn(signal, timeoutMs = TIMEOUT_MS) {
    this.#child.kill(signal);
    return withTimeout(`the exit by ${signal}`, this.#child.exited, timeoutMs);
  }

  assertCleanLog() {
    const unexpected = this.log.filter(
      (line) =>
        /\b(WARN|ERROR)\b|panicked at/.test(line)
        && !ALWAYS_EXPECTED.test(line)
        && !this.#expectedLog.some((known) => known.test(line)),
    );
    assert.deepEqual(unexpected, [], "unexpected log lines above INFO");
  }

  async #failure() {
    const { code, signal, error } = await this.#child.exited;
    throw error ?? new Error(`the server ended by ${signal ?? code}\n${this.log.join("\n")}`);
  }
}

const servers = [];

/** Warnings about settings that many tests choose for speed. */
const ALWAYS_EXPECTED = /sqlite\.synchronous = "normal"|fsync = off/;

/** A server for the whole test file. */
export function serverForThisFile(options) {
  if (servers.length === 0) after(stopServers);
  const server = new Server(options);
  servers.push(server);
  before(() => server.start());
  return server;
}

/** Stops every server, also after a failure: one that keeps running would block the test run. */
async function stopServers() {
  const ends = await Promise.allSettled(servers.map((it) => it.stop()));
  for (const { reason } of ends) if (reason) throw reason;
}

/** A server for one test. */
export async function serverForThisTest(t, options) {
  const server = new Server(options);
  await server.start();
  t.after(() => server.stop());
  return server;
}

/** The text of a settings file with these keys, which may have dots. */
export function toml(settings) {
  return Object.entries(settings)
    .map(([key, value]) => `${key} = ${tomlValue(value)}\n`)
    .join("");
}

/** Strings and numbers have the same syntax in JSON and TOML. */
function tomlValue(value) {
  if (Array.isArray(value)) return `[${value.map(tomlValue).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  const pairs = Object.entries(value).map(([key, it]) => `${key} = ${tomlValue(it)}`);
  return `{ ${pairs.join(", ")} }`;
}
