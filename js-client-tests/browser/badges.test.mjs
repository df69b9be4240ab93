// Unread counts on every device, for messages before and after the page was opened.

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

/** `ann` in the lobby and in a room, and `bob` in that room. */
async function annAndBob(t) {
  const room = unique("room");
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  await ann.joinRoom(room);
  await ann.room("lobby").click();
  const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
  return { ann, bob, room };
}

test("a later tab counts earlier messages, in rooms and direct conversations", async (t) => {
  const { ann, bob, room } = await annAndBob(t);
  for (const text of ["one", "two", "three"]) assertOk(await bob.ask("send message", text));
  for (const data of ["psst", "hey"]) assertOk(await bob.ask("SingleChat", { to: ann.name, data }));
  const tab = await ChatPage.open(t, chromium, server, { sharing: ann });
  for (const it of [ann, tab]) {
    await it.room(room, 3).waitFor();
    await it.person(bob.name, 2).waitFor();
    assert.match(await it.page.title(), /^\(5\)/);
  }
  await tab.saveScreenshot("badges");
});

test("reading in one tab marks as read in the other, and the sender sees it", async (t) => {
  const { ann, bob, room } = await annAndBob(t);
  const tab = await ChatPage.open(t, chromium, server, { sharing: ann });
  await tab.connected();
  for (const text of ["one", "two", "three"]) assertOk(await bob.ask("send message", text));
  for (const it of [ann, tab]) await it.room(room, 3).waitFor();
  await tab.room(room).click();
  await tab.waitForMessage("three");
  await ann.room(room, 3).waitFor({ state: "detached" });
  await bob.next("read", ({ user, seq }) => user === tab.name || seq === 3);
});

test("an edit, a deletion and a deleted message are not unread", async (t) => {
  const { ann, bob, room } = await annAndBob(t);
  for (const text of ["one", "two"]) assertOk(await bob.ask("send message", text));
  await ann.room(room, 2).waitFor();
  assertOk(await bob.ask("edit message", { seq: 1, msg: "one, edited" }));
  assertOk(await bob.ask("delete message", { seq: 2 }));
  await ann.room(room, 1).waitFor();
  assertOk(await bob.ask("send message", "three"));
  await ann.room(room, 2).waitFor();
  const tab = await ChatPage.open(t, chromium, server, { sharing: ann });
  await tab.room(room, 2).waitFor();
  await ann.room(room).click();
  await ann.waitForMessage("one, edited");
  await ann.room(room, 2).waitFor({ state: "detached" });
});

test("a muted room has a quiet count, in every tab, until it is unmuted", async (t) => {
  const { ann, bob, room } = await annAndBob(t);
  await ann.room(room).click();
  await ann.openDetails();
  await ann.button("Mute room").click();
  await ann.button("Unmute room").waitFor();
  await ann.room("lobby").click();
  assertOk(await bob.ask("send message", "hush"));
  await ann.room(room, 1).waitFor();
  assert.doesNotMatch(await ann.page.title(), /^\(/);
  const tab = await ChatPage.open(t, chromium, server, { sharing: ann });
  await tab.rooms.getByRole("button", { name: `${room}, 1 unread, muted`, exact: true }).waitFor();
  await tab.saveScreenshot("muted");
  await ann.room(room).click();
  await ann.openDetails();
  await ann.button("Unmute room").click();
  await ann.button("Mute room").waitFor();
  await tab.rooms.getByRole("button", { name: room, exact: true }).waitFor();
});
