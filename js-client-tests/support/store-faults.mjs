// Faults of a server's SQLite database.

import assert from "node:assert/strict";
import path from "node:path";

import { startProcess } from "./child-process.mjs";
import { runProgram } from "./command.mjs";
import { once, withTimeout } from "./timeouts.mjs";

/** Starts a server whose writes past [limitFiles] fail with EFBIG instead of a signal. */
export const LIMITED_FILES = ["sh", "-c", 'trap "" XFSZ; exec "$@"', "sh"];

/** Limits the size of the server's files, or lifts the limit. */
export async function limitFiles(server, bytes) {
  const { code, stderr } = await runProgram("prlimit", [
    "--pid",
    `${server.pid}`,
    `--fsize=${bytes}:`,
  ]);
  assert.equal(code, 0, stderr);
}

/** Locks the database with another program, the `sqlite3` command. */
export async function lockDatabase(server) {
  const sqlite = startProcess("sqlite3", ["-bail", path.join(server.data, "roomcast.db")]);
  sqlite.stdout.setEncoding("utf8");
  sqlite.stderr.setEncoding("utf8");
  const problem = once(sqlite.stderr, "data").then(([text]) => Promise.reject(new Error(text)));
  problem.catch(() => {});
  sqlite.stdin.write(".timeout 5000\nBEGIN EXCLUSIVE;\nSELECT 'locked';\n");
  const [sent] = await Promise.race([once(sqlite.stdout, "data"), problem]);
  assert.equal(sent.trim(), "locked");
  return {
    async release() {
      sqlite.stdin.end("ROLLBACK;\n");
      const { code } = await withTimeout("the end of sqlite3", sqlite.exited);
      assert.equal(code, 0);
    },
  };
}
