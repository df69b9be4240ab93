// `roomcast serve`: its output, signals, data and exit codes.

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { startProcess } from "../support/child-process.mjs";
import { runProgram } from "../support/command.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { ROOMCAST, serverForThisTest } from "../support/server.mjs";
import { once, withTimeout } from "../support/timeouts.mjs";
import { wsJson } from "../support/ws.mjs";

for (const signal of ["SIGTERM", "SIGINT"]) {
  test(`${signal} stops it with exit code 0`, async (t) => {
    const server = await serverForThisTest(t);
    await joinAsGuest(t, wsJson, server, "ann");
    assert.deepEqual(await server.exitOn(signal), { code: 0, signal: null });
  });
}

test("`serve` is the default command", async (t) => {
  const server = await serving(t, [], { command: [] });
  await joinAsGuest(t, wsJson, server, "ann");
});

test("the first start creates a secret key that only its owner may read", async (t) => {
  const server = await serverForThisTest(t);
  const key = path.join(server.data, "token.key");
  assert.equal((await stat(key)).mode & 0o777, 0o600);
  const before = await readFile(key);
  assert.ok(32 <= before.length);
  await server.restart();
  assert.deepEqual(await readFile(key), before);
  const other = await serverForThisTest(t);
  assert.notDeepEqual(await readFile(path.join(other.data, "token.key")), before);
});

test("the database is in the data directory, or in memory", async (t) => {
  const kept = await serverForThisTest(t);
  assert.ok((await stat(path.join(kept.data, "roomcast.db"))).isFile());
  const forgetful = await serverForThisTest(t, {
    settings: { store: "memory" },
    expectedLog: [/memory/],
  });
  await assert.rejects(stat(path.join(forgetful.data, "roomcast.db")), { code: "ENOENT" });
  await joinAsGuest(t, wsJson, forgetful, "ann");
});

test("flags override the environment, which overrides the file", async (t) => {
  const home = await folder(t);
  const file = path.join(home, "roomcast.toml");
  await writeFile(
    file,
    "[limits]\nbody_bytes_max = 1111\nhistory_messages_max = 22\nrooms_per_user_max = 33\n",
  );
  const env = {
    ROOMCAST_LIMITS_HISTORY_MESSAGES_MAX: "44",
    ROOMCAST_LIMITS_ROOMS_PER_USER_MAX: "55",
  };
  const flags = ["--config", file, "--set", "limits.rooms_per_user_max=66"];
  const server = await serving(t, flags, { env });
  const ann = await joinAsGuest(t, wsJson, server, "ann");
  const { bodyBytesMax, historyMax, roomsMax } = ann.welcome.limits;
  assert.deepEqual([bodyBytesMax, historyMax, roomsMax], [1111, 44, 66]);
});

test("an address in use is reported, and nothing is served", async (t) => {
  const taken = net.createServer().listen(0, "127.0.0.1");
  t.after(() => taken.close());
  await once(taken, "listening");
  const listen = `127.0.0.1:${taken.address().port}`;
  const ended = await runProgram(ROOMCAST, [
    "serve",
    "--listen",
    listen,
    "--data",
    await folder(t),
  ]);
  assert.ok([1, 2].includes(ended.code), `exit ${ended.code}`);
  assert.equal(ended.stdout, "");
  assert.match(ended.stderr, /listen/);
});

test("the log contains no token and no message text", async (t) => {
  const server = await serving(t, ["--log-filter", "debug"]);
  const ann = await joinAsGuest(t, wsJson, server, "ann");
  await ann.ask("send message", "very secret words");
  ann.close();
  const again = await wsJson.connect(server, { token: ann.token });
  again.close();
  server.child.kill("SIGTERM");
  assert.equal((await withTimeout("the exit", server.child.exited)).code, 0);
  assert.ok(!server.log.includes("very secret words"));
  assert.ok(!server.log.includes(ann.token));
  assert.ok(!server.log.includes(ann.token.split(".")[2]));
});

test("the log is JSON on request", async (t) => {
  const server = await serving(t, ["--log-format", "json"]);
  server.child.kill("SIGTERM");
  assert.equal((await withTimeout("the exit", server.child.exited)).code, 0);
  const lines = server.log.split("\n").filter(Boolean);
  assert.ok(0 < lines.length, "the log is empty");
  for (const line of lines) assert.equal(typeof JSON.parse(line), "object", line);
});

/** A server with these flags, on a free port and an empty folder: `{ url, child, log }`. */
async function serving(t, flags, { command = ["serve"], env = {} } = {}) {
  const args = [...command, "--listen", "127.0.0.1:0", "--data", await folder(t), ...flags];
  const child = startProcess(ROOMCAST, args, { env });
  t.after(() => child.kill("SIGKILL"));
  const server = { child, log: "" };
  child.stderr.on("data", (text) => (server.log += text));
  const failed = child.exited.then(() => {
    throw new Error(`it did not start: ${server.log}`);
  });
  failed.catch(() => {});
  const [line] = await Promise.race([once(child.stdout, "data"), failed]);
  server.url = /^listening on (http:\S+)\n$/.exec(line)?.[1];
  assert.ok(server.url, `not the line that reports the address: ${line}`);
  return server;
}

async function folder(t) {
  const made = await mkdtemp(path.join(tmpdir(), "roomcast-"));
  t.after(() => rm(made, { recursive: true, force: true }));
  return made;
}
