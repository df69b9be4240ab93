// Who is in a room, and as what: joined, left, invited, removed.

import assert from "node:assert/strict";
import { test } from "node:test";

import { accepted } from "../support/assert.mjs";
import { browserForThisFile, Person } from "../support/browser.mjs";
import { unique } from "../support/names.mjs";
import { comeBack, enter } from "../support/people.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { minted } from "../support/tokens.mjs";
import { plain } from "../support/ws.mjs";

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

test("joining and leaving in one tab is joining and leaving in all", async (t) => {
  const room = unique("room");
  const ann = await (await Person.open(t, chromium, server)).signIn("ann");
  const tab = await Person.open(t, chromium, server, { beside: ann });
  await tab.connected();
  await ann.joinRoom(room);
  await tab.room(room).click();
  await ann.say("from the first tab");
  await tab.sees("from the first tab");
  await tab.details();
  await tab.button("Leave room").click();
  for (const it of [ann, tab]) await it.room(room).waitFor({ state: "detached" });
  await ann.page.getByRole("heading", { name: "lobby", exact: true }).waitFor();
});

test("who founds a private room invites others, and removes them", async (t) => {
  const room = unique("private");
  const ann = await (await Person.open(t, chromium, server)).signIn("ann");
  const bob = await (await Person.open(t, chromium, server)).signIn("bob");
  await ann.joinRoom(room);
  await bob.page.getByRole("textbox", { name: "Room name", exact: true }).fill(room);
  await bob.button("Join room").click();
  await bob.reads("This room is not open to you.");
  await ann.details();
  await ann.reads("You own this room.");
  await invites(ann, unique("nobody"));
  await ann.page.getByRole("dialog").getByRole("alert").filter({ hasText: /\S/ }).waitFor();
  await ann.picture("invite-refused");
  await invites(ann, bob.name);
  await ann.reads(`${bob.name} is now a member.`);
  await ann.picture("invited");
  await bob.reads(`${ann.name} has invited you to ${room}.`);
  await bob.room(room).click();
  await bob.say("thank you");
  await ann.sees("thank you");
  await bob.details();
  await bob.reads("You are a member.");
  assert.equal(await nameBox(bob).isVisible(), false);
  await invites(ann, bob.name, "Admin");
  await bob.reads("You are an admin here.");
  await nameBox(bob).waitFor();
  await nameBox(ann).fill(bob.name);
  await ann.button("Remove").click();
  await bob.reads(`${ann.name} has removed you from ${room}.`);
  await bob.room(room).waitFor({ state: "detached" });
});

test("where one may only read, one cannot write", async (t) => {
  const room = unique("news");
  const ann = await (await Person.open(t, chromium, server)).signIn("ann");
  const office = await comeBack(
    t,
    plain,
    server,
    await minted(server, unique("office"), "--admin"),
  );
  accepted(await office.ask("join", room));
  accepted(await office.ask("send message", { room, msg: "old news" }));
  await ann.joinRoom(room);
  await ann.sees("old news");
  await ann.details();
  await ann.reads("You may read here, and not write.");
  await ann.page.keyboard.press("Escape");
  assert.equal(await ann.messageBox.isEditable(), false);
  await ann.picture("read-only");
  accepted(await office.ask("send message", { room, msg: "fresh news" }));
  await ann.sees("fresh news");
});

test("a new tab has all rooms of the user", async (t) => {
  const rooms = ["one", "two"].map(unique);
  const ann = await (await Person.open(t, chromium, server)).signIn("ann");
  for (const room of rooms) await ann.joinRoom(room);
  const bob = await enter(t, plain, server, "bob", { room: rooms[0] });
  accepted(await bob.ask("send message", "hello"));
  const tab = await Person.open(t, chromium, server, { beside: ann });
  await tab.room(rooms[1]).waitFor();
  await tab.room(rooms[0]).click();
  await tab.sees("hello");
});
