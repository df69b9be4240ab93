// Unread marks.

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

test("a room in the background counts messages until it is opened", async (t) => {
  const room = unique("room");
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  await ann.joinRoom(room);
  await ann.room("lobby").click();
  const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
  for (const text of ["one", "two", "three"]) assertOk(await bob.ask("send message", text));
  await ann.room(room, 3).waitFor();
  assert.match(await ann.page.title(), /\b3\b/);
  await ann.saveScreenshot("unread");
  await ann.room(room).click();
  await ann.waitForMessage("three");
  await ann.room(room, 3).waitFor({ state: "detached" });
  assert.doesNotMatch(await ann.page.title(), /\b3\b/);
  await ann.room("lobby").click();
  assertOk(await bob.ask("send message", "four"));
  await ann.room(room, 1).waitFor();
});

test("own messages are not unread", async (t) => {
  const room = unique("room");
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  await ann.joinRoom(room);
  await ann.send("mine");
  await ann.waitForMessage("mine");
  await ann.room("lobby").click();
  assert.equal(await ann.room(room, 1).count(), 0);
  assert.doesNotMatch(await ann.page.title(), /^\(/);
});
