// Runs the snippets of README.md with the address of a test server.

import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import WebSocket from "ws";

import { assertOk } from "../support/assert.mjs";
import { readLines, startProcess } from "../support/child-process.mjs";
import { EventQueue } from "../support/event-queue.mjs";
import { connectWithToken, joinAsUser } from "../support/fixtures.mjs";
import { freePort } from "../support/free-port.mjs";
import { serverForThisTest } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { once } from "../support/timeouts.mjs";
import { SECRET } from "../support/tokens.mjs";

const README = await readFile(new URL("../../README.md", import.meta.url), "utf8");
const OFFICIAL = socketIo("4.8", "websocket");

test("the snippet for the official client survives a restart of the server", async (t) => {
  const settings = { "token.secret": SECRET };
  const server = await serverForThisTest(t, { settings, port: await freePort() });
  const bob = await joinAsUser(t, OFFICIAL, server, "bob");
  const [, snippet] = /```js\n([\s\S]*?)```/.exec(README);
  assert.ok(snippet.split("\n").length <= 25, "a snippet that people read");
  const program = fileURLToPath(new URL(`./readme-${process.pid}.tmp.mjs`, import.meta.url));
  await writeFile(program, snippet.replaceAll("http://127.0.0.1:3000", server.url));
  t.after(() => rm(program));

  const ann = run(t, program);
  await ann.printed.next("1 ann hello");
  await ann.printed.next("stored at 1");
  const again = run(t, program);
  await again.printed.next("somebody has this name, or one that looks like it");

  ann.child.kill("SIGSTOP");
  await server.exitOn("SIGTERM");
  await server.start();
  const back = await connectWithToken(t, OFFICIAL, server, bob.token);
  assertOk(await back.ask("send message", "while you were away"));
  ann.child.kill("SIGCONT");
  await ann.printed.next(`2 ${bob.name} while you were away`);
  assertOk(await back.ask("send message", "welcome back"));
  await ann.printed.next(`3 ${bob.name} welcome back`);
  assert.deepEqual(ann.lines.filter((line) => /^\d/.test(line)).length, 3, "each message once");
});

/** Starts a program; `printed` has its lines, as events. */
function run(t, program) {
  const child = startProcess(process.execPath, [program], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  const printed = new EventQueue();
  const lines = [];
  readLines(child.stdout, (more) => {
    lines.push(...more);
    for (const line of more) printed.put(line);
  });
  return { child, printed, lines };
}

test("the frames for any WebSocket client are answered as shown", async (t) => {
  const server = await serverForThisTest(t);
  const block = /```text\n([\s\S]*?)```/.exec(README)[1].trim().split("\n");
  const socket = new WebSocket(`${server.url.replace("http", "ws")}/ws`);
  t.after(() => socket.terminate());
  await once(socket, "open");
  const frames = [];
  socket.on("message", (frame) => {
    frames.push(String(frame));
    socket.emit("frame");
  });
  for (const line of block) {
    const shown = line.slice(2);
    if (line.startsWith("> ")) {
      socket.send(shown);
    } else {
      while (frames.length === 0) await once(socket, "frame");
      assert.match(frames.shift(), asShown(shown));
    }
  }
});

/** A frame in which `…` stands for anything, and a `seq` for any other. */
function asShown(text) {
  const parts = text
    .split(/…|(?<="seq":)\d+/)
    .map((part) => part.replace(/[{}[\]().?*+^$|\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`);
}
