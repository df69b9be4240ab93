// Two users of the page, and clients of every other type, exchange messages.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { browserForThisFile, ChatPage } from "../support/chat-page.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { fetchText } from "../support/raw-clients.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({ settings: { "limits.presence_grace_ms": 200 } });
const chromium = browserForThisFile();

test("a message appears with its author and time", async (t) => {
  const ann = await ChatPage.open(t, chromium, server);
  await ann.saveScreenshot("sign-in");
  await ann.signIn("ann");
  const bob = await (await ChatPage.open(t, chromium, server)).signIn("bob");
  const [hello, hi] = [unique("hello"), unique("hi")];
  await ann.send(hello);
  await bob.waitForMessage(hello);
  await bob.waitForMessage(ann.name);
  await bob.send(hi);
  await ann.waitForMessage(hi);
  assert.equal(await ann.count(hello), 1);
  assert.equal(await bob.count(hi), 1);
  assert.ok(0 < (await bob.log.locator("time").count()), "no message shows a time");
  await ann.person(bob.name).waitFor();
  await ann.saveScreenshot("talk");
});

test("other client types are in the same room", async (t) => {
  const room = unique("room");
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  await ann.joinRoom(room);
  const carol = await joinAsGuest(t, socketIo("2.5", "polling"), server, "carol", { room });
  const dave = await joinAsGuest(t, wsJson, server, "dave", { room });
  const text = unique("text");
  await ann.send(text);
  for (const it of [carol, dave]) assert.equal((await it.next("new message")).msg, text);
  assertOk(await carol.ask("send message", `${text} carol`));
  assertOk(await dave.ask("GroupChat", `${text} dave`));
  for (const it of ["carol", "dave"]) await ann.waitForMessage(`${text} ${it}`);
  for (const { name } of [carol, dave]) await ann.person(name).waitFor();
  dave.close();
  await ann.person(dave.name).waitFor({ state: "detached" });
});

test("markup in a message is shown as text", async (t) => {
  const room = unique("room");
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  await ann.joinRoom(room);
  const dave = await joinAsGuest(t, wsJson, server, "<b>dave</b>", { room });
  const text = '<img src=x onerror="alert(1)"> & <script>alert(2)</script>';
  assertOk(await dave.ask("send message", text));
  await ann.waitForMessage(text);
  await ann.send(text);
  await dave.next("new message", ({ username }) => username === ann.name);
  assertOk(await dave.ask("send message", { msg: { any: ["JSON", 1, null] } }));
  assertOk(await dave.ask("send message", { msg: { base64: "AAECAw==" } }));
  assertOk(await dave.ask("send message", "the last"));
  await ann.waitForMessage("the last");
});

test("a taken name is reported, and another one is accepted", async (t) => {
  const taken = await joinAsGuest(t, wsJson, server, "ann");
  const ann = await ChatPage.open(t, chromium, server, { expected: [/\/api\/session .*\b409\b/] });
  await ann.nameBox.fill(taken.name);
  await ann.page.keyboard.press("Enter");
  await ann.page.getByRole("alert").filter({ hasText: /\S/ }).first().waitFor();
  assert.equal(await ann.messageBox.isVisible(), false);
  await ann.saveScreenshot("name-taken");
  await ann.signIn("another");
});

test("a user who signs out is offline, and may sign in with another name", async (t) => {
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  const bob = await (await ChatPage.open(t, chromium, server)).signIn("bob");
  await bob.person(ann.name).waitFor();
  const before = ann.name;
  await ann.page.getByRole("button", { name: "Sign out" }).click();
  await ann.nameBox.waitFor();
  await bob.person(before).waitFor({ state: "detached" });
  await ann.signIn("anna");
  await bob.person(ann.name).waitFor();
});

test("the page runs only its own files", async () => {
  const { status, headers, body } = await fetchText(server.url);
  assert.equal(status, 200);
  const policy = headers.get("content-security-policy") ?? "";
  assert.match(policy, /default-src '(self|none)'/);
  assert.doesNotMatch(policy, /unsafe-|\*/);
  // What is in the document itself is there by its hash.
  const inline = body.matchAll(/<(script|style)(?![^>]*\bsrc=)[^>]*>(.*?)<\/\1>/gs);
  for (const [, kind, text] of inline) {
    const hash = createHash("sha256").update(text).digest("base64");
    assert.ok(policy.includes(`${kind}-src 'self' 'sha256-${hash}'`), `${kind}: ${policy}`);
  }
  const markup = body.replace(/<(script|style)\b.*?<\/\1>/gs, "");
  assert.doesNotMatch(markup, /\son\w+=|style="/, "inline handler or style");
});
