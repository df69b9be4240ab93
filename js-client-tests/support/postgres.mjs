// A PostgreSQL server for tests.

import assert from "node:assert/strict";
import { chown, writeFile } from "node:fs/promises";
import path from "node:path";

import { runProgram } from "./command.mjs";
import { EngineProcess } from "./engine-process.mjs";
import { newestDebianBinary } from "./managed-process.mjs";

const BINARIES = "/usr/lib/postgresql";
const READY = /database system is ready to accept connections/;

/** The user `roomcast` connects without a password, `guarded` with one, only from this machine. */
const PG_HBA = `
local all all trust
host all guarded 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
`;

/** Data need not survive a power failure; what is committed survives the end of the process. */
const SETTINGS = {
  fsync: "off",
  full_page_writes: "off",
  max_connections: 200,
  shared_buffers: "32MB",
  dynamic_shared_memory_type: "mmap",
  listen_addresses: "127.0.0.1",
  lc_messages: "C",
};

/** The password of the user `guarded`. */
export const POSTGRES_PASSWORD = "a database password, with spaces";

/** It writes some 40 MB, and a busy disk takes long. */
const INITDB_MS_MAX = 60_000;

export class Postgres extends EngineProcess {
  #settings;

  /** `settings` override those of tests: benchmarks need a durable disk. */
  constructor(settings = {}) {
    super({ name: "postgres", ready: READY, end: "SIGQUIT" });
    this.#settings = settings;
  }

  async launchCommand() {
    const user = await account();
    if (user.uid !== undefined) await chown(this.home, user.uid, user.gid);
    const data = path.join(this.home, "data");
    const args = ["-D", data, "-U", "postgres", "--no-sync", "--auth", "trust", "-E", "UTF8"];
    const made = await runProgram(
      newestDebianBinary(BINARIES, "initdb"),
      [...args, "--no-locale"],
      { ...user, timeoutMs: INITDB_MS_MAX },
    );
    assert.equal(made.code, 0, made.stderr);
    await writeFile(path.join(data, "pg_hba.conf"), PG_HBA);
    const place = { port: this.port, unix_socket_directories: this.home };
    const settings = { ...SETTINGS, ...place, ...this.#settings };
    const given = Object.entries(settings).flatMap(([key, value]) => ["-c", `${key}=${value}`]);
    const program = newestDebianBinary(BINARIES, "postgres");
    return { program, args: ["-D", data, ...given], options: user };
  }

  async initialize() {
    await this.sql(
      "CREATE ROLE roomcast LOGIN",
      `CREATE ROLE guarded LOGIN PASSWORD '${POSTGRES_PASSWORD}'`,
      "CREATE DATABASE roomcast OWNER roomcast",
      "CREATE DATABASE guarded OWNER guarded",
    );
  }

  /** The value of the setting `store`. */
  get url() {
    return `postgres://roomcast@127.0.0.1:${this.port}/roomcast`;
  }

  /** The same for the user with a password, and its own database. */
  get passwordUrl() {
    const password = encodeURIComponent(POSTGRES_PASSWORD);
    return `postgres://guarded:${password}@127.0.0.1:${this.port}/guarded`;
  }

  /** Ends all other connections; returns how many there were. */
  async endConnections() {
    const others = "backend_type = 'client backend' AND pid <> pg_backend_pid()";
    const count = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE ${others}`;
    return Number(await this.sql(count));
  }

  /** Runs statements as the database's administrator; returns their output. */
  async sql(...statements) {
    const commands = statements.flatMap((it) => ["-c", it]);
    const where = ["-h", this.home, "-p", `${this.port}`, "-U", "postgres", "-d", "postgres"];
    const done = await runProgram("psql", [
      ...where,
      "-qAtX",
      "-v",
      "ON_ERROR_STOP=1",
      ...commands,
    ]);
    assert.equal(done.code, 0, done.stderr);
    return done.stdout.trim();
  }
}

/** PostgreSQL refuses to run as root; Debian's package creates a user for it. */
async function account() {
  if (process.getuid() !== 0) return {};
  const [uid, gid] = await Promise.all(
    ["-u", "-g"].map((it) => runProgram("id", [it, "postgres"])),
  );
  return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
}
