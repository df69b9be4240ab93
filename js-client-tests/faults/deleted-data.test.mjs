// Deleted texts are in no row of the database, and soon in no file.

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { runProgram } from "../support/command.mjs";
import { connectWithToken, joinAsUser } from "../support/fixtures.mjs";
import { serverForThisTest } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { withTimeout } from "../support/timeouts.mjs";
import { SECRET } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const SETTINGS = { "token.secret": SECRET, "retention.sweep_secs": 1 };
const CLIENT_TYPES = [wsJson, socketIo("4.8", "websocket"), socketIo("2.5", "polling")];

for (const clientType of CLIENT_TYPES) {
  test(`deleted texts are in no row of the database: ${clientType.label}`, async (t) => {
    const server = await serverForThisTest(t, { settings: SETTINGS });
    const room = unique("room");
    const ann = await joinAsUser(t, clientType, server, "ann", { room });
    const bob = await joinAsUser(t, clientType, server, "bob", { room });
    const [gone, kept] = [[], []];
    const body = (list, kind) => {
      const text = unique(kind);
      list.push(text);
      return text;
    };
    for (const [event, where, key] of [
      ["send message", { room }, "msg"],
      ["GroupChat", { room }, "data"],
      ["SingleChat", { to: bob.name }, "data"],
    ]) {
      const post = async (text) => assertOk(await ann.ask(event, { ...where, [key]: text })).seq;
      const place = where.room ? { room } : { with: bob.name };
      await post(body(kept, "kept"));
      const first = await post(body(gone, "said"));
      const edit = { ...place, seq: first, msg: body(gone, "edited") };
      assertOk(await ann.ask("edit message", edit));
      const bytes = await post({ of: body(gone, "beside bytes"), bytes: Buffer.from("x") });
      for (const seq of [first, bytes]) {
        assertOk(await ann.ask("delete message", { ...place, seq }));
      }
    }
    const inFiles = async (texts) => {
      const files = await everyFile(server);
      return texts.filter((text) => files.some((bytes) => bytes.includes(text)));
    };
    const swept = async () => {
      while (0 < (await inFiles(gone)).length);
    };
    await withTimeout("the deleted texts to leave the files", swept());
    assert.deepEqual(await inFiles(kept), kept, "the files do not contain bodies in plain form");
    const { code, signal } = await server.exitOn("SIGTERM");
    assert.equal(code, 0, signal);
    const rows = await everyRow(server);
    for (const text of kept) assert.ok(holds(rows, text), `the scan does not find "${text}"`);
    assert.deepEqual(
      gone.filter((text) => holds(rows, text)),
      [],
    );
    await server.start();
    const back = await connectWithToken(t, clientType, server, ann.token);
    const { messages } = assertOk(await back.ask("history", { room }));
    const texts = messages.map(({ msg, data }) => msg ?? data).filter(Boolean);
    assert.deepEqual(texts, kept.slice(0, 2));
  });
}

/** The content of each file of the server. */
async function everyFile({ data }) {
  const names = await readdir(data);
  return Promise.all(names.map((name) => readFile(path.join(data, name)).catch(() => Buffer.of())));
}

/** All rows of all tables as SQL. */
async function everyRow(server) {
  const file = path.join(server.data, "roomcast.db");
  const { code, stdout, stderr } = await runProgram("sqlite3", ["-readonly", file, ".dump"]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /INSERT INTO/);
  return stdout.toLowerCase();
}

/** Whether the rows contain a text, as it is or as the bytes of a blob. */
function holds(rows, text) {
  return rows.includes(text) || rows.includes(Buffer.from(text).toString("hex"));
}
