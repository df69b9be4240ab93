// The sidebar with many rooms, and the quick switcher.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { browserForThisFile, ChatPage } from "../support/chat-page.mjs";
import { connectWithToken, joinAsGuest } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { mintToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { waitUntil } from "../support/wait-until.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile();
const chromium = browserForThisFile();

/** The names in the list of rooms, from the top. */
const order = ({ rooms }) => rooms.locator("#rooms bdi").allTextContents();

/** A user whom the server knows as a member of `rooms`, on a page. */
async function userIn(t, rooms) {
  const token = await mintToken(server, unique("ann"));
  const client = await connectWithToken(t, wsJson, server, token);
  for (const room of rooms) assertOk(await client.ask("join", room));
  await client.close();
  const expected = [/\/api\/session .*\b401\b/];
  const ann = await ChatPage.open(t, chromium, server, { expected });
  ann.name = client.user;
  await ann.page.evaluate(
    (body) =>
      fetch("/api/session", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
      }),
    JSON.stringify({ token }),
  );
  await ann.page.reload();
  await ann.connected();
  return ann;
}

const roomsOf = (base, count) => {
  const name = unique(base);
  return Array.from({ length: count }, (_, n) => `${name}-${n}`);
};

test("unread conversations come first, markers lead to the others, and sections fold", async (t) => {
  const rooms = roomsOf("r", 30);
  const ann = await userIn(t, rooms);
  const { page } = ann;
  await ann.room(rooms[29]).waitFor();
  assert.deepEqual(await order(ann), ["lobby", ...rooms]);

  const bob = await joinAsGuest(t, wsJson, server, "bob", { room: rooms[7] });
  assertOk(await bob.ask("send message", "one"));
  assertOk(await bob.ask("join", rooms[28]));
  assertOk(await bob.ask("send message", { room: rooms[28], msg: "two" }));
  const to = await page.locator("#me").textContent();
  assertOk(await bob.ask("SingleChat", { to, data: "psst" }));
  await ann.person(bob.name, 1).waitFor();
  assert.deepEqual((await order(ann)).slice(0, 3), [rooms[7], rooms[28], "lobby"]);

  const below = page.getByRole("button", { name: "1 unread below", exact: true });
  await below.waitFor();
  await ann.saveScreenshot("rooms-31");
  await below.click();
  await page.getByRole("button", { name: "2 unread above", exact: true }).waitFor();
  await below.waitFor({ state: "detached" });
  await ann.person(bob.name, 1).click();
  await ann.waitForMessage("psst");
  await page.getByRole("button", { name: "2 unread above", exact: true }).click();

  // The one that is open stays where it was clicked, and falls into its place when it is left.
  await ann.room(rooms[28], 1).click();
  await ann.waitForMessage("two");
  await ann.room(rooms[28], 1).waitFor({ state: "detached" });
  assert.deepEqual((await order(ann)).slice(0, 3), [rooms[7], rooms[28], "lobby"]);
  await ann.room("lobby").click();
  await waitUntil("the old order", async () => (await order(ann))[1] === "lobby");

  const fold = ann.rooms.getByRole("button", { name: "Rooms", exact: true });
  await fold.click();
  await ann.room(rooms[3]).waitFor({ state: "detached" });
  assert.deepEqual(await order(ann), [rooms[7], "lobby"], "unread and open ones stay");
  await page.reload();
  await ann.connected();
  await ann.room(rooms[7], 1).waitFor();
  assert.deepEqual(await order(ann), [rooms[7], "lobby"], "a reload unfolds");
  assert.equal(await fold.getAttribute("aria-expanded"), "false");
  await fold.click();
  await ann.room(rooms[3]).waitFor();
});

test("the quick switcher finds rooms and people, by keyboard, the last ones first", async (t) => {
  const [first, second] = ["first", "second"].map(unique);
  const carol = await joinAsGuest(t, wsJson, server, "carol");
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  const { page } = ann;
  const { keyboard } = page;
  const dialog = page.getByRole("dialog", { name: "Go to", exact: true });
  const field = dialog.getByRole("combobox");
  const options = dialog.getByRole("option");
  const chosen = dialog.getByRole("option", { selected: true });
  await ann.joinRoom(first);
  await ann.joinRoom(second);
  await ann.messageBox.fill("a draft");

  await keyboard.press("Control+k");
  await field.waitFor();
  assert.equal(await field.evaluate((it) => it === document.activeElement), true);
  assert.match((await options.allTextContents())[0], new RegExp(first));
  await ann.saveScreenshot("switcher");
  await keyboard.press("Enter");
  await page.getByRole("heading", { name: first, level: 1 }).waitFor();
  await dialog.waitFor({ state: "hidden" });

  // Letters in their order are enough, and the choice is the one that a screen reader is told.
  await page.getByRole("button", { name: "Go to…" }).click();
  await field.pressSequentially(`sec${second.slice(-4)}`);
  await chosen.filter({ hasText: second }).waitFor();
  const active = await field.getAttribute("aria-activedescendant");
  assert.equal(await chosen.getAttribute("id"), active);
  await keyboard.press("ArrowUp"); // from the first to the last
  await chosen.filter({ hasText: "Join or create" }).waitFor();
  await keyboard.press("ArrowDown");
  await keyboard.press("Enter");
  await page.getByRole("heading", { name: second, level: 1 }).waitFor();
  assert.equal(await ann.messageBox.inputValue(), "a draft");

  await keyboard.press("Control+k");
  await keyboard.type(carol.name.slice(0, -1));
  await options.filter({ hasText: carol.name }).click();
  await page.getByRole("heading", { name: carol.name, level: 1 }).waitFor();

  const made = unique("made");
  await keyboard.press("Control+k");
  await keyboard.type(`#${made}`);
  await chosen.filter({ hasText: made }).waitFor();
  await keyboard.press("Enter");
  await ann.room(made).waitFor();

  // A refused name is said in the dialog; Escape returns the focus to where it was.
  await ann.messageBox.focus();
  await keyboard.press("Control+k");
  await keyboard.type("x".repeat(65));
  await keyboard.press("Enter");
  await dialog.getByRole("alert").filter({ hasText: "1 to 64 characters" }).waitFor();
  await keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
  assert.equal(await ann.messageBox.evaluate((it) => it === document.activeElement), true);
});
