// `roomcast contract`: what it prints compiles, is valid, and is what the server answers.

import assert from "node:assert/strict";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { Parser } from "@asyncapi/parser";
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

import { runProgram, runRoomcast } from "../support/command.mjs";
import { EVENTS, REQUESTS } from "../support/protocol-doc.mjs";

const here = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));

async function contract(format) {
  const { code, stdout, stderr } = await runRoomcast("contract", "--format", format);
  assert.equal(code, 0, stderr);
  return stdout;
}

describe("TypeScript", () => {
  /** Compiles the client in `source` with the declarations; returns what `tsc` says. */
  async function compile(t, change = (source) => source) {
    const home = await mkdtemp(path.join(tmpdir(), "roomcast-"));
    t.after(() => rm(home, { recursive: true }));
    await writeFile(path.join(home, "roomcast.d.ts"), change(await contract("d.ts")));
    await copyFile(here("contract/client.ts"), path.join(home, "client.ts"));
    const compilerOptions = {
      exactOptionalPropertyTypes: true,
      lib: ["es2022", "dom", "dom.iterable"],
      module: "esnext",
      moduleResolution: "bundler",
      noEmit: true,
      paths: { "*": [here("node_modules/*")] },
      strict: true,
      types: [],
    };
    const config = { compilerOptions, files: ["client.ts"] };
    await writeFile(path.join(home, "tsconfig.json"), JSON.stringify(config));
    return runProgram(here("node_modules/.bin/tsc"), ["--project", home]);
  }

  test("right uses compile, wrong ones are refused", async (t) => {
    const { code, stdout } = await compile(t);
    assert.equal(code, 0, stdout);
  });

  test("declarations that lack a key do not compile", async (t) => {
    const { code, stdout } = await compile(t, (text) => text.replaceAll("unread: number;", ""));
    assert.notEqual(code, 0);
    assert.match(stdout, /Property 'unread' does not exist/);
  });
});

test("the AsyncAPI document is valid, and has every request, answer and event", async () => {
  const { document, diagnostics } = await new Parser().parse(await contract("asyncapi"));
  const errors = diagnostics.filter(({ severity }) => severity <= 1);
  assert.deepEqual(errors, [], "errors and warnings of the official parser");
  const operations = document.operations();
  const named = (action) =>
    operations
      .filter((it) => it.action() === action)
      .map((it) => it.messages().all()[0].name())
      .sort();
  assert.deepEqual(named("receive"), [...REQUESTS].sort());
  const answersAsEvents = ["GroupList", "history"];
  assert.deepEqual(named("send"), [...new Set(EVENTS), ...answersAsEvents, "ask"].sort());
  for (const operation of operations.filter((it) => it.action() === "receive")) {
    assert.equal(operation.reply().messages().all().length, 2, `${operation.id()}: the answer`);
  }
  const asked = operations.get("ask").reply().messages().all();
  assert.deepEqual(
    asked.map((it) => it.correlationId().location()),
    ["$message.payload#/answer"],
  );
});

test("an AsyncAPI document with a fault is refused by the parser", async () => {
  const text = (await contract("asyncapi")).replace('"action": "receive"', '"action": "say"');
  const { document } = await new Parser().parse(text);
  assert.equal(document, undefined);
});

test("the JSON Schema is valid, and permits the frames of /ws", async () => {
  const ajv = addFormats(new Ajv2020({ strict: true, strictTypes: false, strictRequired: false }));
  const permits = ajv.compile(JSON.parse(await contract("json-schema")));
  for (const frame of [
    { event: "send message", data: { msg: "hi" }, ack: 7 },
    { event: "join", ack: 7 },
    { event: "drawing", args: [{ x: 1 }, 7] },
    { event: "drawing", data: { x: 1 } },
    { ack: 7, ok: true, id: "m1", room: "lobby", seq: 1, at: "2026-11-29T10:00:00.000Z" },
    { ack: 7, ok: false, code: "not_member", message: "join the room first" },
    { event: "typing", data: { room: "team", user: "bob", typing: true } },
    { event: "confirm", args: ["Delete 3 files?"], ask: 1 },
    { answer: 1, args: [true, "but keep a copy"] },
  ]) {
    assert.ok(permits(frame), `${JSON.stringify(frame)}: ${ajv.errorsText(permits.errors)}`);
  }
  for (const frame of [
    { event: "send message", data: { room: "lobby" } },
    { event: "new message", args: [1] },
    { event: "typing", data: { room: "team", user: "bob" } },
    { ack: 7, ok: false },
    { data: 7 },
    { answer: "1", args: [true] },
  ]) {
    assert.ok(!permits(frame), JSON.stringify(frame));
  }
});

test("a format that does not exist is refused", async () => {
  for (const flags of [[], ["--format", "xml"]]) {
    const { code, stderr } = await runRoomcast("contract", ...flags);
    assert.equal(code, 2);
    assert.match(stderr, /--format/);
  }
});
