// SIGHUP under load: a good file takes effect, a bad one changes nothing, and no client notices.

import assert from "node:assert/strict";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { apiKey, askApi, MANAGE_KEY } from "../support/api.mjs";
import { assertOk } from "../support/assert.mjs";
import { firstLines, readLines, startProcess } from "../support/child-process.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { ROOMCAST, serverForThisTest } from "../support/server.mjs";
import { ALL_SOCKET_IO } from "../support/socket.io.mjs";
import { SECRET } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { waitUntil } from "../support/wait-until.mjs";
import { wsJson } from "../support/ws.mjs";

const expectedLog = [/settings not reloaded/, /settings changed that need a restart/];

const { sha256 } = apiKey("manager", MANAGE_KEY, []);
const WITH_KEY = `[[api_keys]]\nname = "manager"\nsha256 = "${sha256}"\nscopes = ["read"]\n`;

/** Settings that take effect at once, each with how the log names it. Those before are taken back. */
const RELOADABLE = [
  ['origins = ["https://pages.example"]', "origins"],
  ['rooms.read_only = ["announcements"]', "rooms"],
  ['[[events]]\nname = "wave"\nto = "room"', "events"],
  ["[limits]\nmessages_per_second_max = 100000\nmessages_burst_max = 100000", "messages_burst_max"],
  ["[limits]\nhistory_messages_max = 9", "history_messages_max"],
  ["[limits]\nrooms_per_user_max = 9", "rooms_per_user_max"],
  ["[limits]\noutbox_events_max = 2000", "outbox_events_max"],
  ["[limits]\ninbox_requests_max = 9", "inbox_requests_max"],
  ["[limits]\nspaces_per_connection_max = 3", "spaces_per_connection_max"],
  [`[token]\nkeys = [{ secret = "${SECRET}" }]`, "token\\.keys"],
];

test("SIGHUP reloads a good file, and a bad one changes nothing", async (t) => {
  const home = await mkdtemp(path.join(tmpdir(), "roomcast-reload-"));
  t.after(() => rm(home, { recursive: true }));
  const config = path.join(home, "roomcast.toml");
  await writeFile(config, "");
  const server = await serverForThisTest(t, { config, expectedLog });
  const load = await startLoad(t, server);

  assert.equal((await askApi(server, "users")).status, 401);
  await reload(WITH_KEY, /INFO.*settings reloaded.*api_keys/);
  assert.equal((await askApi(server, "users")).status, 200);

  for (const [text, setting] of RELOADABLE) {
    await reload(`${text}\n${WITH_KEY}`, new RegExp(`INFO.*settings reloaded.*${setting}`));
    assert.equal((await askApi(server, "users")).status, 200);
  }

  for (const [text, problem] of [
    ["origins = [", /roomcast\.toml/],
    ['gests = "off"', /gests/],
    [`${WITH_KEY}[token]\nkeys = [{ pem_file = "/nowhere.pem", algorithm = "ES256" }]`, /nowhere/],
  ]) {
    await reload(text, problem);
    assert.match(server.log.at(-1), /ERROR.*settings not reloaded/);
    assert.equal((await askApi(server, "users")).status, 200, "the last good settings count");
  }

  await reload("clock_secs = 9\n", /WARN.*need a restart.*clock_secs/);
  assert.equal((await askApi(server, "users")).status, 401);
  await load.end();

  /** Writes a file, sends SIGHUP, and waits for a line of the log. */
  async function reload(text, line) {
    await writeFile(config, text);
    const before = server.log.length;
    process.kill(server.pid, "SIGHUP");
    await waitUntil(`${line} in the log`, async () =>
      server.log.slice(before).some((it) => line.test(it)),
    );
  }
});

test("a file that has gone is an error, also where no flag names it", async (t) => {
  const home = await mkdtemp(path.join(tmpdir(), "roomcast-reload-"));
  t.after(() => rm(home, { recursive: true }));
  const file = path.join(home, "roomcast.toml");
  await writeFile(file, WITH_KEY);
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
  return {
    async end() {
      isOver = true;
      const sent = await Promise.all(sending);
      assert.ok(sent.every((it) => it > 0));
      for (const it of clients) assert.deepEqual(it.take("closing"), []);
    },
  };
}
