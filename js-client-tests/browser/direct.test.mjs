// Direct messages on the page.

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

test("two people talk beside the room, and nobody else reads it", async (t) => {
  const people = [];
  for (const base of ["ann", "bob", "carol"]) {
    people.push(await (await Person.open(t, chromium, server)).signIn(base));
  }
  const [ann, bob, carol] = people;
  const [psst, yes, all] = ["psst", "yes", "to all"].map(unique);
  await ann.person(bob.name).click();
  await ann.say(psst);
  await ann.sees(psst);
  await bob.person(ann.name, 1).click();
  await bob.sees(psst);
  await bob.person(ann.name, 1).waitFor({ state: "detached" });
  await bob.say(yes);
  await ann.sees(yes);
  await ann.picture("direct");

  await ann.room("lobby").click();
  assert.equal(await ann.count(psst), 0, "the lobby shows a direct message");
  await ann.say(all);
  await carol.sees(all);
  for (const text of [psst, yes]) assert.equal(await carol.count(text), 0);
});

test("it is there after a reload, and came once", async (t) => {
  const ann = await (await Person.open(t, chromium, server)).signIn("ann");
  const dave = await enter(t, plain, server, "dave");
  const text = unique("text");
  accepted(await dave.ask("SingleChat", { to: ann.name, data: text }));
  await ann.person(dave.name, 1).waitFor();
  await ann.page.reload();
  await ann.connected();
  await ann.person(dave.name).click();
  await ann.sees(text);
  assert.equal(await ann.count(text), 1);
});
