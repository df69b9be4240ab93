// The client of examples/client, compiled as a project would.

import assert from "node:assert/strict";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

import { assertOk } from "../support/assert.mjs";
import { runProgram, runRoomcast } from "../support/command.mjs";
import { EventQueue } from "../support/event-queue.mjs";
import { connectWithToken, joinAsUser } from "../support/fixtures.mjs";
import { freePort } from "../support/free-port.mjs";
import { serverForThisTest } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { epochSeconds, SECRET, signToken } from "../support/tokens.mjs";

const here = (name) => fileURLToPath(new URL(name, import.meta.url));

let home;
let ChatClient;
let lines;

// In a folder of its own below this one, so that `socket.io-client` is found.
before(async () => {
  home = await mkdtemp(here("./chat-client-"));
  const source = path.join(home, "chat-client.ts");
  await copyFile(here("../../examples/client/chat-client.ts"), source);
  const { stdout } = await runRoomcast("contract", "--format", "d.ts");
  await writeFile(path.join(home, "roomcast.d.ts"), stdout);
  const compilerOptions = {
    lib: ["es2022", "dom", "dom.iterable"],
    module: "esnext",
    moduleResolution: "bundler",
    outDir: home,
    paths: { "*": [here("../node_modules/*")] },
    strict: true,
    target: "es2022",
    types: [],
  };
  await writeFile(
    path.join(home, "tsconfig.json"),
    JSON.stringify({ compilerOptions, files: [source] }),
  );
  const tsc = await runProgram(here("../node_modules/.bin/tsc"), ["--project", home]);
  assert.equal(tsc.code, 0, tsc.stdout);
  await writeFile(path.join(home, "package.json"), '{ "type": "module" }');
  ({ ChatClient, lines } = await import(pathToFileURL(path.join(home, "chat-client.js"))));
});

after(() => rm(home, { recursive: true }));

const AWAY = "written while the server is away";
const OFFICIAL = socketIo("4.8", "websocket");

test("users and guests of the client talk, and agree after a restart of the server", async (t) => {
  const settings = { "token.secret": SECRET, "limits.messages_per_second_max": 1000 };
  const server = await serverForThisTest(t, { settings, port: await freePort() });
  const bob = await joinAsUser(t, OFFICIAL, server, "bob");
  for (let n = 1; n <= 60; n += 1) assertOk(await bob.ask("send message", `old ${n}`));

  const ann = enter(t, server, { guest: "ann" });
  ann.chat.send("lobby", "at once"); // before she is connected
  await ann.until(({ texts, head }) => texts.at(-1) === "at once" && head === 61);
  const token = () => signToken(server, { sub: "carol", exp: epochSeconds(600) });
  const carol = enter(t, server, { token });
  const { texts, unread } = await carol.until(({ texts }) => texts.length === 50);
  assert.deepEqual([texts[0], texts.at(-1), unread], ["old 12", "at once", 0]);
  for (const { chat } of [ann, carol]) {
    while (await chat.older("lobby"));
    assert.equal(lines(chat.rooms.get("lobby")).length, 61);
  }

  ann.chat.send("lobby", "Helo");
  const sent = lines(ann.chat.rooms.get("lobby")).at(-1);
  assert.deepEqual([sent.user, sent.body, sent.seq], ["ann", "Helo", undefined], "shown at once");
  await carol.until(({ texts, unread }) => texts.at(-1) === "Helo" && unread === 1);
  await carol.chat.read("lobby");
  assert.equal(carol.chat.rooms.get("lobby").unread, 0);
  assert.equal((await bob.next("read", ({ user }) => user === "carol")).seq, 62);

  const { seq } = assertOk(await bob.ask("send message", "one"));
  assertOk(await bob.ask("edit message", { seq, msg: "two" }));
  const oops = assertOk(await bob.ask("send message", "oops"));
  assertOk(await bob.ask("delete message", { seq: oops.seq }));
  for (const it of [ann, carol]) {
    await it.until(({ texts }) => texts.at(-1) === "(deleted)" && texts.at(-2) === "two (edited)");
  }

  await server.exitOn("SIGTERM");
  ann.chat.send("lobby", AWAY);
  carol.chat.send("lobby", "also");
  await server.start();
  const back = await connectWithToken(t, OFFICIAL, server, bob.token);
  const { seq: last } = assertOk(await back.ask("edit message", { seq, msg: "three" }));
  const shown = [];
  for (const it of [ann, carol]) {
    const isComplete = ({ all, texts, head }) =>
      head >= last
      && all.every((line) => line.seq > 0)
      && texts.includes("also")
      && texts.includes(AWAY);
    shown.push((await it.until(isComplete)).texts.slice(-5));
  }
  assert.deepEqual(shown[0], shown[1], "one order for all");
  assert.deepEqual(shown[0].slice(0, 3), ["Helo", "three (edited)", "(deleted)"]);
  assert.deepEqual(shown[0].slice(3).sort(), ["also", AWAY]);

  const other = enter(t, server, { guest: "ann" });
  assert.equal(await other.refusals.next("refused"), "name_taken");
});

/** A client in the lobby; `until` waits for a state of the room. */
function enter(t, server, identity) {
  const states = new EventQueue();
  const refusals = new EventQueue();
  const chat = new ChatClient(server.url, {
    identity,
    changed: (name, room) => states.put(name, room && state(room)),
    refused: (code) => refusals.put("refused", code),
  });
  t.after(() => chat.close());
  return { chat, refusals, until: (where) => states.next("lobby", where) };
}

function state(room) {
  const all = lines(room);
  const texts = all.map(({ body, edited, deleted }) =>
    deleted ? "(deleted)" : `${body}${edited ? " (edited)" : ""}`,
  );
  return { all, texts, unread: room.unread, head: room.last };
}
