// Read receipts on the page.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { browserForThisFile, ChatPage } from "../support/chat-page.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile();
const chromium = browserForThisFile();

const receipt = ({ log }) => log.getByText("Read", { exact: true });

test("the last message that the other user has read is marked", async (t) => {
  const bob = await joinAsGuest(t, wsJson, server, "bob");
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  await ann.person(bob.name).click();
  for (const text of ["one", "two"]) {
    await ann.send(text);
    await bob.next("SingleChat", ({ data }) => data === text);
  }
  assert.equal(await receipt(ann).count(), 0);
  assertOk(await bob.ask("read", { with: ann.name, seq: 1 }));
  await receipt(ann).waitFor();
  assertOk(await bob.ask("read", { with: ann.name, seq: 2 }));
  const under = ann.log.locator(".message").filter({ hasText: "two" });
  await receipt({ log: under }).waitFor();
  assert.equal(await receipt(ann).count(), 1);
  await ann.saveScreenshot("receipt");
});

test("an open conversation is read, a closed one is not", async (t) => {
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  const bob = await (await ChatPage.open(t, chromium, server)).signIn("bob");
  const text = unique("text");
  await ann.person(bob.name).click();
  await ann.send(text);
  await bob.person(ann.name, 1).waitFor();
  await bob.room("lobby").click();
  assert.equal(await receipt(ann).count(), 0);
  await bob.person(ann.name, 1).click();
  await bob.waitForMessage(text);
  await receipt(ann).waitFor();
});

test("many messages at once cause few receipts", async (t) => {
  const room = unique("room");
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  await ann.joinRoom(room);
  const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
  const said = Array.from({ length: 50 }, (_, n) => ({ msg: `message ${n}` }));
  await bob.askAll("send message", said);
  await ann.waitForMessage("message 49");
  await bob.next("read", ({ user, seq }) => user === ann.name && seq === 50);
  assert.ok(bob.take("read").length < 10, "every message caused its own receipt");
});
