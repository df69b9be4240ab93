// `roomcast export` and `import`: from SQLite to PostgreSQL and back, with clients that go on.

import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { API_SETTINGS, callApi } from "../support/api.mjs";
import { assertOk } from "../support/assert.mjs";
import { runProgram, runRoomcast } from "../support/command.mjs";
import { connectWithToken, ownerAndMember } from "../support/fixtures.mjs";
import { freePort } from "../support/free-port.mjs";
import { readDirectHistory, readHistory } from "../support/history.mjs";
import { Postgres } from "../support/postgres.mjs";
import { ROOMCAST, Server } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { SECRET } from "../support/tokens.mjs";
import { wsJson } from "../support/ws.mjs";

const CLIENT_TYPES = [socketIo("4.8", "websocket"), wsJson];

test("clients go on where they were, on PostgreSQL and back on SQLite", async (t) => {
  const folder = await temporary(t);
  const postgres = await new Postgres().start();
  const settings = { ...API_SETTINGS, "token.secret": SECRET };
  const onPostgres = new Server({ settings: { ...settings, store: postgres.url } });
  t.after(async () => {
    await onPostgres.stop();
    await postgres.stop();
  });
  const url = `http://127.0.0.1:${await freePort()}`;
  const webhooks = [{ name: "down", url, events: ["*"] }];
  // Nobody listens at the webhook's address, so events wait in the outbox.
  const expectedLog = [/webhook/];
  const server = await new Server({ settings: { ...settings, webhooks }, expectedLog }).start();
  t.after(() => server.stop());
  const users = await Promise.all(CLIENT_TYPES.map((it) => talk(t, it, server)));
  assert.equal((await callApi(server, "bans", { user: "eve" })).status, 200);
  const before = await Promise.all(users.map(seen));
  for (const { client } of users) client.close();
  await server.exitOn("SIGTERM");

  const lines = path.join(folder, "first.jsonl");
  const data = ["--data", server.data];
  const exported = await runRoomcast("export", lines, ...data);
  assert.equal(exported.code, 0, exported.stderr);
  assert.equal((await stat(lines)).mode & 0o777, 0o600, "only its owner reads it");
  const database = ["--set", `store=${postgres.url}`];
  const imported = await runRoomcast("import", lines, "--keep-epoch", ...database);
  assert.equal(imported.code, 0, imported.stderr);
  const again = await runRoomcast("export", "-", ...database);
  assert.equal(again.stdout, await readFile(lines, "utf8"), "the lines are equal");
  const tables = new Set(again.stdout.split("\n").map((line) => /^{"(\w+)"/.exec(line)?.[1]));
  for (const table of ["member", "conversation", "message", "user", "denial", "webhook_event"]) {
    assert.ok(tables.has(table), `no row of ${table}`);
  }
  await onPostgres.start();
  await goesOn(t, onPostgres, users, before);

  const back = path.join(folder, "back");
  const input = await readFile(lines);
  const args = ["import", "-", "--keep-epoch", "--data", back];
  const restored = await runProgram(ROOMCAST, args, { input });
  assert.equal(restored.code, 0, restored.stderr);
  const third = await runRoomcast("export", "-", "--data", back);
  assert.equal(third.stdout, `${input}`, "the lines are equal");
  const full = await runRoomcast("import", lines, ...data);
  assert.equal(full.code, 2);
  assert.match(full.stderr, /must be empty/);
});

test("a bad file is refused with its line, and no store is made", async (t) => {
  const folder = await temporary(t);
  const file = path.join(folder, "bad.jsonl");
  await writeFile(file, '{"roomcast":"0.1.0","schema":1}\n{"meta":{"epoch":1}}\n');
  const data = path.join(folder, "data");
  for (const [text, expected] of [
    ['{"roomcast":"0.1.0","schema":1}\n{"meta":{"epoch":1}}\n', /^line 2: `meta.epoch`/],
    ['{"roomcast":"9.0.0","schema":2}\n', /^line 1: .*roomcast 9.0.0/],
    ["", /^line 1: the file ends here/],
  ]) {
    const { code, stderr } = await runProgram(ROOMCAST, ["import", "-", "--data", data], {
      input: text,
    });
    assert.equal(code, 2);
    assert.match(stderr.replace(/^importing\n/, ""), expected);
  }
  assert.deepEqual(await readdir(folder), ["bad.jsonl"]);
  const kept = await runRoomcast("export", file, "--data", data);
  assert.equal(kept.code, 2, "the file exists");
  for (const command of ["export", "import"]) {
    const memory = await runRoomcast(command, "-", "--set", "store=memory");
    assert.equal(memory.code, 2);
    assert.match(memory.stderr, /keeps nothing/);
  }
  const nothing = await runRoomcast("export", path.join(folder, "new"), "--data", data);
  assert.equal(nothing.code, 2);
  assert.deepEqual(await readdir(folder), ["bad.jsonl"], "no half file is left");
});

test("what is not there has exit code 2, and a backup is not put into what it is of", async (t) => {
  const folder = await temporary(t);
  const server = await new Server().start();
  t.after(() => server.stop());
  const [none, data] = [path.join(folder, "none"), path.join(folder, "data")];
  for (const [words, why] of [
    [["import", none, "--data", data], /none cannot be opened: No such file/],
    [["restore", none, "--data", data], /there is no database/],
    [["backup", path.join(folder, "copy"), "--data", data], /there is no database/],
    [["export", path.join(none, "file"), "--data", server.data], /cannot be created: No such file/],
    [
      ["backup", path.join(server.data, "a", "b"), "--data", server.data],
      /is in the data directory/,
    ],
    [["backup", server.data, "--data", server.data], /is in the data directory/],
  ]) {
    const { code, stdout, stderr } = await runRoomcast(...words);
    assert.deepEqual([code, stdout], [2, ""], `${words}: ${stderr}`);
    assert.match(stderr, why, `${words}`);
  }
  assert.deepEqual(await readdir(folder), []);
  // The directory of a path is a file name that no file system takes: a fault, not a missing file.
  const long = await runRoomcast("restore", path.join(folder, "x".repeat(300)), "--data", data);
  assert.equal(long.code, 1);
  assert.match(long.stderr, /cannot be read: File name too long/);
});

test("an export whose reader has enough ends quietly", async (t) => {
  const server = await new Server({ settings: API_SETTINGS }).start();
  t.after(() => server.stop());
  const items = Array.from({ length: 50 }, () => ({ room: "den", msg: "x".repeat(10_000) }));
  assert.equal((await callApi(server, "messages", { user: "bot", items })).status, 200);
  const command = `"${ROOMCAST}" export - --data "${server.data}"; echo "code $?" >&2`;
  const { stdout, stderr } = await runProgram("sh", ["-c", `(${command}) | head -n 1`]);
  assert.match(stdout, /^{"roomcast"/);
  assert.equal(stderr, "code 0\n");
});

/** Two users who leave messages, changes, bytes, read positions, a notification. */
async function talk(t, clientType, server) {
  const { room, ann, bob } = await ownerAndMember(t, clientType, server);
  for (const msg of ["one", "two", { three: 3 }]) {
    assertOk(await ann.ask("send message", { room, msg }));
  }
  assertOk(await ann.ask("edit message", { room, seq: 1, msg: "first" }));
  assertOk(await ann.ask("delete message", { room, seq: 2 }));
  const bytes = Buffer.from([0, 1, 255]);
  const file = clientType === wsJson ? { base64: bytes.toString("base64") } : bytes;
  assertOk(await bob.ask("send message", { room, msg: { file } }));
  assertOk(await ann.ask("SingleChat", { to: bob.name, data: "psst" }));
  assertOk(await bob.ask("read", { room, seq: 3 }));
  const notify = { to: bob.name, data: "you have mail" };
  const notified = await callApi(server, "actions", { user: ann.name, do: [{ notify }] });
  assert.equal(notified.status, 200, JSON.stringify(notified.body));
  return { clientType, room, other: ann.name, client: bob, token: bob.token };
}

/** What a user finds of rooms and history. */
async function seen({ client, room, other }) {
  const page = await readHistory(client, room);
  const direct = await readDirectHistory(client, other);
  const inbox = await client.ask("history", { inbox: true });
  return JSON.parse(JSON.stringify({ page, direct, inbox: inbox.messages }));
}

async function goesOn(t, server, users, before) {
  for (const [at, { clientType, room, other, client, token }] of users.entries()) {
    const back = await connectWithToken(t, clientType, server, token, { room });
    assert.equal(back.welcome.epoch, client.welcome.epoch);
    assert.deepEqual(await seen({ client: back, room, other }), before[at]);
    assert.equal(before[at].inbox.length, 1);
    const mine = back.welcome.rooms.find((it) => it.room === room);
    assert.equal(mine.role, "member");
    const head = before[at].page.at(-1).seq;
    const answer = assertOk(await back.ask("send message", { room, msg: "later" }));
    assert.equal(answer.seq, head + 1);
  }
}

async function temporary(t) {
  const folder = await mkdtemp(path.join(tmpdir(), "roomcast-export-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
