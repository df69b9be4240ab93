// Direct messages on the page.

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

test("two users exchange direct messages, and no other user sees them", async (t) => {
  const people = [];
  for (const base of ["ann", "bob", "carol"]) {
    people.push(await (await ChatPage.open(t, chromium, server)).signIn(base));
  }
  const [ann, bob, carol] = people;
  const [psst, yes, all] = ["psst", "yes", "to all"].map(unique);
  await ann.person(bob.name).click();
  await ann.send(psst);
  await ann.waitForMessage(psst);
  await bob.person(ann.name, 1).click();
  await bob.waitForMessage(psst);
  await bob.person(ann.name, 1).waitFor({ state: "detached" });
  await bob.send(yes);
  await ann.waitForMessage(yes);
  await ann.saveScreenshot("direct");

  await ann.room("lobby").click();
  assert.equal(await ann.count(psst), 0, "the lobby shows a direct message");
  await ann.send(all);
  await carol.waitForMessage(all);
  for (const text of [psst, yes]) assert.equal(await carol.count(text), 0);
});

test("they are there after a reload, once", async (t) => {
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  const dave = await joinAsGuest(t, wsJson, server, "dave");
  const text = unique("text");
  assertOk(await dave.ask("SingleChat", { to: ann.name, data: text }));
  await ann.person(dave.name, 1).waitFor();
  await ann.page.reload();
  await ann.connected();
  await ann.person(dave.name).click();
  await ann.waitForMessage(text);
  assert.equal(await ann.count(text), 1);
});
