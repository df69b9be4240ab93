// The dialogs that list the people of a room, and the rooms that are open.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { browserForThisFile, ChatPage } from "../support/chat-page.mjs";
import { joinAsGuest, joinAsUser } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { unique } from "../support/unique.mjs";
import { waitUntil } from "../support/wait-until.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({
  settings: { "limits.presence_list_max": 20, "rooms.private": ["private-*"] },
});
const chromium = browserForThisFile();

const heading = ({ page }, name) => page.getByRole("heading", { name, level: 1, exact: true });

test("everybody in a large room can be found and written to, also who is away", async (t) => {
  const room = unique("large");
  const guests = Array.from({ length: 70 }, (_, n) =>
    joinAsGuest(t, wsJson, server, `g${n}`, { room }),
  );
  await Promise.all(guests);
  const zoe = await joinAsUser(t, wsJson, server, "zoe", { room });
  await zoe.close();
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  await ann.joinRoom(room);
  await ann.people.getByText("Choose “Everyone” to see them.").waitFor();

  await ann.button("Everyone").click();
  const dialog = ann.page.getByRole("dialog", { name: `People in ${room}` });
  const rows = dialog.getByRole("listitem");
  await dialog.getByText("72 people", { exact: true }).waitFor();
  await rows.first().waitFor();
  await ann.saveScreenshot("people-large");
  const first = await rows.count();
  assert.ok(first < 72, "everybody was loaded at once");
  await waitUntil("all pages", async () => {
    await rows.last().scrollIntoViewIfNeeded();
    return (await rows.count()) === 72;
  });
  const away = dialog.getByRole("button", { name: new RegExp(`^${zoe.name}, offline, last seen`) });
  await away.waitFor();
  assert.equal(await dialog.getByRole("button", { name: ann.name }).isEnabled(), false);

  const field = dialog.getByRole("searchbox", { name: "Find a person" });
  await field.fill("nobody at all");
  await dialog.getByText("Nobody here is called “nobody at all”.").waitFor();
  await field.fill(zoe.name.slice(0, -1).toUpperCase());
  await away.waitFor();
  assert.equal(await rows.count(), 1);
  await ann.saveScreenshot("people-away");
  await away.click();
  await heading(ann, zoe.name).waitFor();
  await ann.send("until you are back");
  await ann.waitForText(`${zoe.name} is away and will see it later`);

  // The switcher finds them, too.
  await ann.room(room).click();
  const [hidden] = await Promise.all(guests);
  await ann.page.keyboard.press("Control+k");
  await ann.page.keyboard.type(`@${hidden.name}`);
  await ann.page.getByRole("option", { name: hidden.name }).click();
  await heading(ann, hidden.name).waitFor();
});

test("the directory lists the rooms that are open, with their people", async (t) => {
  const base = unique("room");
  const [one, two, secret] = [`${base} one`, `${base} two`, unique("private")];
  const bob = await joinAsGuest(t, wsJson, server, "bob", { room: one });
  for (const room of [two, secret]) assertOk(await bob.ask("join", room));
  await joinAsGuest(t, wsJson, server, "carol", { room: two });
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  await ann.joinRoom(one);

  await ann.button("Browse").click();
  const dialog = ann.page.getByRole("dialog", { name: "Rooms", exact: true });
  const field = dialog.getByRole("searchbox", { name: "Find a room" });
  await field.fill(secret);
  await dialog.getByText(`There is no room “${secret}” yet.`).waitFor();
  await field.fill(base);
  await dialog.getByRole("button", { name: `Open ${one}, 2 people, 2 online` }).waitFor();
  const other = dialog.getByRole("button", { name: `Join ${two}, 2 people, 2 online` });
  await other.waitFor();
  await ann.saveScreenshot("directory");
  await other.click();
  await heading(ann, two).waitFor();
  await ann.room(two).waitFor();

  // From the list of others, the switcher offers rooms, too.
  const third = `${base} three`;
  assertOk(await bob.ask("join", third));
  await ann.page.keyboard.press("Control+k");
  await ann.page.keyboard.type(`#${base} thr`);
  await ann.page.getByRole("option", { name: third }).click();
  await ann.room(third).waitFor();
});
