// Rooms and roles on the page: joining, leaving, inviting, removing.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { browserForThisFile, ChatPage } from "../support/chat-page.mjs";
import { connectWithToken, joinAsGuest } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { mintToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({
  settings: { "rooms.private": ["private-*"], "rooms.read_only": ["news-*"] },
});
const chromium = browserForThisFile();

const nameBox = ({ page }) => page.getByRole("textbox", { name: "Invite or remove somebody" });

async function invites(person, user, role) {
  await nameBox(person).fill(user);
  if (role) await person.page.getByRole("combobox", { name: "Role" }).selectOption({ label: role });
  await person.button("Invite").click();
}

test("joining and leaving in one tab applies to all tabs", async (t) => {
  const room = unique("room");
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  const tab = await ChatPage.open(t, chromium, server, { sharing: ann });
  await tab.connected();
  await ann.joinRoom(room);
  await tab.room(room).click();
  await ann.send("from the first tab");
  await tab.waitForMessage("from the first tab");
  await tab.openDetails();
  await tab.button("Leave room").click();
  for (const it of [ann, tab]) await it.room(room).waitFor({ state: "detached" });
  await ann.page.getByRole("heading", { name: "lobby", exact: true }).waitFor();
});

test("the owner of a private room invites and removes users", async (t) => {
  const room = unique("private");
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  const bob = await (await ChatPage.open(t, chromium, server)).signIn("bob");
  await ann.joinRoom(room);
  await bob.page.getByRole("textbox", { name: "Room name", exact: true }).fill(room);
  await bob.button("Join room").click();
  await bob.waitForText("This room is not open to you.");
  await ann.openDetails();
  await ann.waitForText("You own this room.");
  await invites(ann, unique("unknown"));
  await ann.page.getByRole("dialog").getByRole("alert").filter({ hasText: /\S/ }).waitFor();
  await ann.saveScreenshot("invite-refused");
  await invites(ann, bob.name);
  await ann.waitForText(`${bob.name} is now a member.`);
  await ann.saveScreenshot("invited");
  await bob.waitForText(`${ann.name} has invited you to ${room}.`);
  await bob.room(room).click();
  await bob.send("thank you");
  await ann.waitForMessage("thank you");
  await bob.openDetails();
  await bob.waitForText("You are a member.");
  assert.equal(await nameBox(bob).isVisible(), false);
  await invites(ann, bob.name, "Admin");
  await bob.waitForText("You are an admin here.");
  await nameBox(bob).waitFor();
  await nameBox(ann).fill(bob.name);
  await ann.button("Remove").click();
  await bob.waitForText(`${ann.name} has removed you from ${room}.`);
  await bob.room(room).waitFor({ state: "detached" });
});

test("a reader cannot write", async (t) => {
  const room = unique("news");
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  const office = await connectWithToken(
    t,
    wsJson,
    server,
    await mintToken(server, unique("office"), "--admin"),
  );
  assertOk(await office.ask("join", room));
  assertOk(await office.ask("send message", { room, msg: "old news" }));
  await ann.joinRoom(room);
  await ann.waitForMessage("old news");
  await ann.openDetails();
  await ann.waitForText("You may read here, and not write.");
  await ann.page.keyboard.press("Escape");
  assert.equal(await ann.messageBox.isEditable(), false);
  await ann.saveScreenshot("read-only");
  assertOk(await office.ask("send message", { room, msg: "fresh news" }));
  await ann.waitForMessage("fresh news");
});

test("a new tab has all rooms of the user", async (t) => {
  const rooms = ["one", "two"].map(unique);
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  for (const room of rooms) await ann.joinRoom(room);
  const bob = await joinAsGuest(t, wsJson, server, "bob", { room: rooms[0] });
  assertOk(await bob.ask("send message", "hello"));
  const tab = await ChatPage.open(t, chromium, server, { sharing: ann });
  await tab.room(rooms[1]).waitFor();
  await tab.room(rooms[0]).click();
  await tab.waitForMessage("hello");
});
