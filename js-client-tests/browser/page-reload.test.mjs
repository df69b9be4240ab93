// A reload keeps the session and the messages.

import assert from "node:assert/strict";
import { test } from "node:test";

import { browserForThisFile, ChatPage } from "../support/chat-page.mjs";
import { barrier, joinAsGuest } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile();
const chromium = browserForThisFile();

test("after a reload everything is as before", async (t) => {
  const room = unique("room");
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  await ann.joinRoom(room);
  const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
  const texts = ["one", "two", "three"].map(unique);
  for (const text of texts) {
    await ann.send(text);
    await ann.waitForMessage(text);
  }
  bob.take("user joined");
  await ann.page.reload();
  await ann.connected();
  await ann.room(room).waitFor();
  for (const text of texts) {
    await ann.waitForMessage(text);
    assert.equal(await ann.count(text), 1, "shown twice");
  }
  await ann.send("after");
  const received = await bob.next("new message", ({ msg }) => msg === "after");
  assert.equal(received.username, ann.name);
  await barrier(bob, room, bob);
  assert.deepEqual(bob.take("user left"), [], "the reload counted as leaving");
});

test("messages that were sent during the reload are there", async (t) => {
  const room = unique("room");
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  await ann.joinRoom(room);
  const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
  await bob.ask("send message", "before");
  await ann.waitForMessage("before");
  await ann.page.goto("about:blank");
  await bob.ask("send message", "meanwhile");
  await ann.page.goto(server.url);
  await ann.connected();
  await ann.room(room).click();
  await ann.waitForMessage("meanwhile");
  assert.equal(await ann.count("before"), 1);
});

test("a long history loads while scrolling", async (t) => {
  const room = unique("room");
  const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
  const said = Array.from({ length: 130 }, (_, n) => ({ msg: `message ${n}` }));
  await bob.askAll("send message", said);
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  await ann.joinRoom(room);
  await ann.waitForMessage("message 129");
  for (let n = 129; n >= 0; n -= 1) {
    const message = ann.log.getByText(`message ${n}`, { exact: true });
    await message.waitFor({ state: "attached" });
    await message.scrollIntoViewIfNeeded();
    assert.equal(await message.count(), 1);
  }
  await ann.saveScreenshot("history");
});
