// Runs the snippets of README.md with the address of a test server.

import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import WebSocket from "ws";

import { startProcess } from "../support/child-process.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { once, withTimeout } from "../support/timeouts.mjs";

const README = await readFile(new URL("../../README.md", import.meta.url), "utf8");

const server = serverForThisFile();

test("the snippet for the official client works", async (t) => {
  const snippet = /```js\n([\s\S]*?)```/
    .exec(README)[1]
    .replaceAll("http://127.0.0.1:3000", server.url);
  const program = fileURLToPath(new URL(`./readme-${process.pid}.tmp.mjs`, import.meta.url));
  await writeFile(program, snippet);
  t.after(() => rm(program));
  const child = startProcess(process.execPath, [program], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill());
  const sent = new Promise((resolve) => {
    let text = "";
    child.stdout.on("data", (bytes) => {
      text += bytes;
      if (/ann hello/.test(text) && /stored at 1/.test(text)) resolve();
    });
  });
  await withTimeout("the output of the snippet", sent);
});

test("the frames for any WebSocket client are answered as shown", async (t) => {
  const block = /```text\n([\s\S]*?)```/.exec(README)[1].trim().split("\n");
  const socket = new WebSocket(`${server.url.replace("http", "ws")}/ws`);
  t.after(() => socket.terminate());
  await once(socket, "open");
  const answers = [];
  socket.on("message", (frame) => {
    const answer = JSON.parse(frame);
    if ("ack" in answer) answers.push(answer);
    socket.emit("answer");
  });
  for (const line of block.filter((it) => it.startsWith("> "))) socket.send(line.slice(2));
  const shown = block.filter((it) => it.startsWith("< ")).map((it) => JSON.parse(it.slice(2)));
  while (answers.length < shown.length) await once(socket, "answer");
  for (const [at, answer] of answers.entries()) {
    assert.deepEqual(Object.keys(answer), Object.keys(shown[at]));
    assert.equal(answer.ok, true);
  }
});
