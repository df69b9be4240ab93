// SIGHUP under load: a good file takes effect, a bad one changes nothing, and no client notices.

import assert from "node:assert/strict";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { apiKey, askApi, MANAGE_KEY } from "../support/api.mjs";
import { assertOk } from "../support/assert.mjs";
import { Authority, replaceCertificate } from "../support/certificates.mjs";
import { firstLines, readLines, startProcess } from "../support/child-process.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { FIXED, MESSAGES, RELOADABLE } from "../support/reloadable-settings.mjs";
import { ROOMCAST, serverForThisTest, toml } from "../support/server.mjs";
import { ALL_SOCKET_IO, socketIo } from "../support/socket.io.mjs";
import { servedName } from "../support/tls-client.mjs";
import { unique } from "../support/unique.mjs";
import { waitUntil } from "../support/wait-until.mjs";
import { wsJson } from "../support/ws.mjs";

const expectedLog = [/settings not reloaded/, /settings changed that need a restart/];

const WITH_KEY = { ...FIXED, api_keys: [apiKey("manager", MANAGE_KEY, ["read"])] };

/** Two messages a second are too fast. */
const SLOW_PACE = { "limits.messages_per_second_max": 1, "limits.messages_burst_max": 1 };

test("SIGHUP reloads a good file, and a bad one changes nothing", async (t) => {
  const home = await mkdtemp(path.join(tmpdir(), "roomcast-reload-"));
  t.after(() => rm(home, { recursive: true }));
  const config = path.join(home, "roomcast.toml");
  await writeFile(config, toml(FIXED));
  const server = await serverForThisTest(t, { config, expectedLog, logging: { filter: null } });
  const load = await startLoad(t, server);
  const room = unique("room");
  const user = await joinAsGuest(t, wsJson, server, "user", { room });
  for (let n = 0; n < MESSAGES; n += 1) assertOk(await user.ask("send message", { room, msg: n }));

  assert.equal((await askApi(server, "users")).status, 401);
  await change(WITH_KEY, /INFO.*settings reloaded.*api_keys/);
  assert.equal((await askApi(server, "users")).status, 200);

  for (const { settings, named, observe, before, after } of RELOADABLE) {
    assert.deepEqual(await observe({ t, server, user, room }), before, `${named} before`);
    await change({ ...WITH_KEY, ...settings }, new RegExp(`INFO.*settings reloaded.*${named}`));
    assert.deepEqual(await observe({ t, server, user, room }), after, `${named} after`);
  }

  for (const [text, problem] of [
    ["origins = [", /ERROR.*settings not reloaded.*roomcast\.toml/],
    [toml({ ...WITH_KEY, gests: "off" }), /ERROR.*settings not reloaded.*gests/],
    [
      toml({ ...WITH_KEY, "token.keys": [{ pem_file: "/nowhere.pem", algorithm: "ES256" }] }),
      /ERROR.*settings not reloaded.*nowhere/,
    ],
  ]) {
    await writeFile(config, text);
    await hangUp(server, problem);
    assert.equal((await askApi(server, "users")).status, 200, "the last good settings count");
  }

  await change({ ...FIXED, clock_secs: 9 }, /WARN.*need a restart.*clock_secs/);
  assert.equal((await askApi(server, "users")).status, 401);
  const clients = await load.end();
  await change({ ...FIXED, ...SLOW_PACE }, /INFO.*settings reloaded.*messages_burst_max/);
  for (const it of clients) {
    const messages = Array.from({ length: 20 }, (_, msg) => ({ msg }));
    const answers = await it.askAll("send message", messages);
    assert.ok(
      answers.some(({ code }) => code === "too_fast"),
      JSON.stringify(answers),
    );
  }

  async function change(settings, line) {
    await writeFile(config, toml(settings));
    await hangUp(server, line);
  }
});

test("SIGHUP reads certificates at once, and a damaged one changes nothing", async (t) => {
  const authority = new Authority();
  t.after(() => authority.end());
  const ca = (await authority.start()).certificate;
  const files = await authority.issue("first");
  const server = await serverForThisTest(t, {
    settings: { "tls.certificates": [files] },
    // The server compares the files, too.
    expectedLog: [...expectedLog, /certificate reload failed/],
  });
  const clients = [];
  for (const it of [wsJson, socketIo("4.8", "polling"), socketIo("4.8", "websocket")]) {
    clients.push(await joinAsGuest(t, it, server, "ann", { extra: { ca } }));
  }
  const good = await authority.issue("second");
  await writeFile(files.cert, "nothing");
  await hangUp(server, /ERROR.*settings not reloaded.*tls\.certificates/);
  assert.equal(await servedName(server, ca), "first");
  await replaceCertificate(files, good);
  await hangUp(server, /INFO.*settings reloaded/);
  assert.equal(await servedName(server, ca), "second");
  for (const it of clients) assertOk(await it.ask("send message", "still here"));
});

/** Sends SIGHUP, and waits for a line of the log. */
async function hangUp(server, line) {
  const before = server.log.length;
  process.kill(server.pid, "SIGHUP");
  await waitUntil(`${line} in the log`, async () =>
    server.log.slice(before).some((it) => line.test(it)),
  );
}

test("a file that has gone is an error, also where no flag names it", async (t) => {
  const home = await mkdtemp(path.join(tmpdir(), "roomcast-reload-"));
  t.after(() => rm(home, { recursive: true }));
  const file = path.join(home, "roomcast.toml");
  await writeFile(file, toml(WITH_KEY));
  const child = startProcess(ROOMCAST, ["--listen", "127.0.0.1:0"], { cwd: home });
  t.after(() => child.kill("SIGKILL"));
  const log = [];
  readLines(child.stderr, (lines) => log.push(...lines));
  const [line] = await firstLines("the line that reports the address", child.stdout);
  const server = { url: line.replace("listening on ", "") };
  assert.equal((await askApi(server, "users")).status, 200);
  await rename(file, `${file}.away`);
  child.kill("SIGHUP");
  await waitUntil("the outcome of the reload", async () =>
    log.some((it) => /ERROR.*settings not reloaded.*roomcast\.toml/.test(it)),
  );
  assert.equal((await askApi(server, "users")).status, 200, "the last good settings count");
});

/** Clients of all kinds that send messages until the end. None may be refused or disconnected. */
async function startLoad(t, server) {
  const room = unique("room");
  const clients = [];
  for (const it of [wsJson, ...ALL_SOCKET_IO]) {
    clients.push(await joinAsGuest(t, it, server, "sender", { room }));
  }
  let isOver = false;
  const sending = clients.map(async (it) => {
    let sent = 0;
    for (; !isOver; sent += 1) assertOk(await it.ask("send message", { msg: sent }));
    return sent;
  });
  for (const it of sending) it.catch(() => {}); // `end` reports a refusal
  return {
    async end() {
      isOver = true;
      const sent = await Promise.all(sending);
      assert.ok(sent.every((it) => it > 0));
      for (const it of clients) assert.deepEqual(it.take("closing"), []);
      return clients;
    },
  };
}
