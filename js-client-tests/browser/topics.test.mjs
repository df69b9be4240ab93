// The topic of a room on the page: in the head of the conversation, where admins change it.

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

const field = ({ page }) => page.getByRole("textbox", { name: "Topic of this room", exact: true });
const shown = ({ page }, topic) => page.locator("#topic").getByText(topic, { exact: true });

test("the owner sets, changes and removes the topic in place", async (t) => {
  const room = unique("room");
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  const bob = await (await ChatPage.open(t, chromium, server)).signIn("bob");
  await ann.joinRoom(room);
  await bob.joinRoom(room);
  assert.equal(await bob.button("Set a topic").isVisible(), false, "bob is no admin");
  await ann.button("Set a topic").click();
  await field(ann).fill("Plans for May");
  await ann.saveScreenshot("topic-field");
  await field(ann).press("Enter");
  for (const it of [ann, bob]) await shown(it, "Plans for May").waitFor();
  assert.equal(await ann.page.locator("#topic").getAttribute("title"), "Plans for May");
  await ann.saveScreenshot("topic");
  await field(ann).waitFor({ state: "hidden" });
  await ann.button("Change the topic").click();
  assert.equal(await field(ann).inputValue(), "Plans for May");
  await field(ann).fill("never mind");
  await field(ann).press("Escape");
  await field(ann).waitFor({ state: "hidden" });
  await shown(ann, "Plans for May").waitFor();
  await bob.openDetails();
  await bob.page.getByRole("dialog").getByText("Plans for May", { exact: true }).waitFor();
  await ann.button("Change the topic").click();
  await field(ann).fill("");
  await field(ann).press("Enter");
  await ann.button("Set a topic").waitFor();
  await shown(bob, "Plans for May").waitFor({ state: "detached" });
});

test("a topic follows the server, and is neither a message nor unread", async (t) => {
  const room = unique("room");
  const office = await joinAsGuest(t, wsJson, server, "office", { room });
  const topic = "שלום לכולם";
  assertOk(await office.ask("topic", { room, topic }));
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  await ann.joinRoom(room);
  await shown(ann, topic).waitFor();
  const { direction } = await ann.page
    .locator("#topic")
    .evaluate((it) => ({ direction: getComputedStyle(it).direction }));
  assert.equal(direction, "rtl", "as its script");
  await ann.room("lobby").click();
  await shown(ann, topic).waitFor({ state: "detached" });
  assertOk(await office.ask("topic", { room, topic: "New plans" }));
  assertOk(await office.ask("send message", { room, msg: "look at the topic" }));
  await ann.room(room, 1).click();
  await ann.waitForMessage("look at the topic");
  await shown(ann, "New plans").waitFor();
  assert.equal(await ann.log.getByRole("article").count(), 1, "only the message is listed");
  await ann.page.reload();
  await shown(ann, "New plans").waitFor();
});

test("a topic that is refused stays in the field, with the reason", async (t) => {
  const room = unique("room");
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  await ann.joinRoom(room);
  await ann.button("Set a topic").click();
  await field(ann).fill("a\u202eb");
  await field(ann).press("Enter");
  await ann.page.getByRole("alert").filter({ hasText: "one line" }).waitFor();
  assert.equal(await field(ann).inputValue(), "a\u202eb");
  await ann.room("lobby").click();
  await field(ann).waitFor({ state: "hidden" });
});
