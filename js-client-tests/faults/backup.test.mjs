// A backup while clients send: what was acknowledged before it is in it, once and in its position.

import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { assertConsecutive, assertOk } from "../support/assert.mjs";
import { runRoomcast } from "../support/command.mjs";
import { connectWithToken, joinAsGuest } from "../support/fixtures.mjs";
import { readHistory } from "../support/history.mjs";
import { Server } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

/** Acknowledged messages before the backup, more than wait in the intake. */
const BEFORE = 3000;
const CLIENT_TYPES = [socketIo("4.8", "websocket"), wsJson];

test("a backup under load has all that was acknowledged before it", async (t) => {
  const server = await new Server().start();
  t.after(() => server.stop());
  const folder = await mkdtemp(path.join(tmpdir(), "roomcast-backup-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const backup = path.join(folder, "backup");
  const room = unique("room");
  const clients = await Promise.all(
    CLIENT_TYPES.map((it) => joinAsGuest(t, it, server, "one", { room })),
  );
  const load = new Load(clients, room);
  await load.acknowledged(BEFORE);
  const before = new Map(load.answers);
  const made = await runRoomcast("backup", backup, "--data", server.data);
  assert.equal(made.code, 0, made.stderr);
  assert.match(made.stdout, /integrity ok.*\n(.*\n)*message: \d+\n/);
  assert.deepEqual((await readdir(backup)).sort(), ["roomcast.db", "token.key"]);
  // The server goes on.
  await load.acknowledged(load.answers.size + 100);
  const after = await load.stop();
  const { token } = clients[0];
  await server.kill9();

  await rm(server.data, { recursive: true });
  const restored = await runRoomcast("restore", backup, "--data", server.data);
  assert.equal(restored.code, 0, restored.stderr);
  await server.start();
  const back = await connectWithToken(t, CLIENT_TYPES[0], server, token, { room });
  assert.notEqual(back.welcome.epoch, clients[0].welcome.epoch, "returning clients page history");
  const stored = await readHistory(back, room);
  assertConsecutive(stored, 1);
  const ids = new Set(stored.map((it) => it.id));
  assert.equal(ids.size, stored.length, "an id is stored twice");
  for (const [id, seq] of before) assert.ok(ids.has(id), `not in the backup: ${id}, seq ${seq}`);
  for (const it of stored) {
    // What was sent and not acknowledged before the end may be stored, too.
    if (after.has(it.id)) assert.equal(it.seq, after.get(it.id));
  }
});

test("what has files already is refused, and so is PostgreSQL", async (t) => {
  const server = await new Server().start();
  t.after(() => server.stop());
  const inside = await runRoomcast("backup", `${server.data}/copy`, "--data", server.data);
  assert.equal(inside.code, 2);
  assert.match(inside.stderr, /is in the data directory/);
  for (const command of ["backup", "restore"]) {
    const used = command === "backup" ? path.dirname(server.data) : server.data;
    const full = await runRoomcast(command, used, "--data", server.data);
    assert.equal(full.code, 2);
    assert.match(full.stderr, /must be new or empty/);
    const other = "store=postgres://nobody@127.0.0.1:1/none";
    const postgres = await runRoomcast(command, `${server.data}/x`, "--set", other);
    assert.equal(postgres.code, 2);
    assert.match(postgres.stderr, /pg_dump.*roomcast export/);
  }
});

/** Clients that send, each ten messages at a time, until they are stopped. */
class Load {
  /** The seq of each acknowledged message. */
  answers = new Map();
  #isSending = true;
  #waiting = [];
  #senders;

  constructor(clients, room) {
    this.#senders = clients.map((client) => this.#send(client, room));
  }

  /** Waits until so many messages are acknowledged. */
  async acknowledged(count) {
    while (this.answers.size < count) {
      const next = new Promise((resolve) => this.#waiting.push(resolve));
      await Promise.race([next, ...this.#senders]);
    }
  }

  /** Stops, waits for the last answers, and returns all. */
  async stop() {
    this.#isSending = false;
    await Promise.all(this.#senders);
    return this.answers;
  }

  async #send(client, room) {
    while (this.#isSending) {
      const batch = Array.from({ length: 10 }, () => ({ room, msg: "text", id: unique("id") }));
      const answers = await client.askAll("send message", batch);
      answers.forEach((answer, at) => {
        this.answers.set(batch[at].id, assertOk(answer).seq);
      });
      for (const resolve of this.#waiting.splice(0)) resolve();
    }
  }
}
