// A reload keeps who one is and what was said.

import assert from "node:assert/strict";
import { test } from "node:test";

import { browserForThisFile, Person } from "../support/browser.mjs";
import { unique } from "../support/names.mjs";
import { enter, fence } from "../support/people.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { plain } from "../support/ws.mjs";

const server = serverForThisFile();
const chromium = browserForThisFile();

test("after a reload everything is as it was", async (t) => {
  const room = unique("room");
  const ann = await (await Person.open(t, chromium, server)).signIn("ann");
  await ann.joinRoom(room);
  const bob = await enter(t, plain, server, "bob", { room });
  const texts = ["one", "two", "three"].map(unique);
  for (const text of texts) {
    await ann.say(text);
    await ann.sees(text);
  }
  bob.take("user joined");
  await ann.page.reload();
  await ann.connected();
  await ann.room(room).waitFor();
  for (const text of texts) {
    await ann.sees(text);
    assert.equal(await ann.count(text), 1, "shown twice");
  }
  await ann.say("after");
  const heard = await bob.next("new message", ({ msg }) => msg === "after");
  assert.equal(heard.username, ann.name);
  await fence(bob, room, bob);
  assert.deepEqual(bob.take("user left"), [], "the reload was seen as leaving");
});

test("what was said meanwhile is there", async (t) => {
  const room = unique("room");
  const ann = await (await Person.open(t, chromium, server)).signIn("ann");
  await ann.joinRoom(room);
  const bob = await enter(t, plain, server, "bob", { room });
  await bob.ask("send message", "before");
  await ann.sees("before");
  await ann.page.goto("about:blank");
  await bob.ask("send message", "meanwhile");
  await ann.page.goto(server.url);
  await ann.connected();
  await ann.room(room).click();
  await ann.sees("meanwhile");
  assert.equal(await ann.count("before"), 1);
});

test("a long history comes as far as one scrolls", async (t) => {
  const room = unique("room");
  const bob = await enter(t, plain, server, "bob", { room });
  const said = Array.from({ length: 130 }, (_, n) => ({ msg: `message ${n}` }));
  await bob.askAll("send message", said);
  const ann = await (await Person.open(t, chromium, server)).signIn("ann");
  await ann.joinRoom(room);
  await ann.sees("message 129");
  for (let n = 129; n >= 0; n -= 1) {
    const message = ann.log.getByText(`message ${n}`, { exact: true });
    await message.waitFor({ state: "attached" });
    await message.scrollIntoViewIfNeeded();
    assert.equal(await message.count(), 1);
  }
  await ann.picture("history");
});
