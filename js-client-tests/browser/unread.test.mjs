// Marks for what was not read yet.

import assert from "node:assert/strict";
import { test } from "node:test";

import { accepted } from "../support/assert.mjs";
import { browserForThisFile, Person } from "../support/browser.mjs";
import { unique } from "../support/names.mjs";
import { enter } from "../support/people.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { plain } from "../support/ws.mjs";

const server = serverForThisFile();
const chromium = browserForThisFile();

test("a room that one is not looking at counts what was said, until one does", async (t) => {
  const room = unique("room");
  const ann = await (await Person.open(t, chromium, server)).signIn("ann");
  await ann.joinRoom(room);
  await ann.room("lobby").click();
  const bob = await enter(t, plain, server, "bob", { room });
  for (const text of ["one", "two", "three"]) accepted(await bob.ask("send message", text));
  await ann.room(room, 3).waitFor();
  assert.match(await ann.page.title(), /\b3\b/);
  await ann.picture("unread");
  await ann.room(room).click();
  await ann.sees("three");
  await ann.room(room, 3).waitFor({ state: "detached" });
  assert.doesNotMatch(await ann.page.title(), /\b3\b/);
  await ann.room("lobby").click();
  accepted(await bob.ask("send message", "four"));
  await ann.room(room, 1).waitFor();
});

test("one's own messages are not news", async (t) => {
  const room = unique("room");
  const ann = await (await Person.open(t, chromium, server)).signIn("ann");
  await ann.joinRoom(room);
  await ann.say("mine");
  await ann.sees("mine");
  await ann.room("lobby").click();
  assert.equal(await ann.room(room, 1).count(), 0);
  assert.doesNotMatch(await ann.page.title(), /^\(/);
});
