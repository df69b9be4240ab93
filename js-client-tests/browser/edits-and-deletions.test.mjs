// Editing and deleting messages on the page.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { browserForThisFile, ChatPage } from "../support/chat-page.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { unique } from "../support/unique.mjs";
import { waitUntil } from "../support/wait-until.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({
  settings: { "limits.body_bytes_max": 2_000, "limits.presence_grace_ms": 200 },
});
const chromium = browserForThisFile();

/** What a browser logs when there is no network. */
const expected = [/socket\.io/, /ERR_INTERNET_DISCONNECTED|WebSocket/];

const editor = ({ page }) => page.getByRole("textbox", { name: "Edit message", exact: true });

/** Deletes with a click and its confirmation. */
async function deletes(person, text) {
  await presses(person, `Delete: ${text}`);
  await presses(person, `Really delete? Delete: ${text}`);
}

/** By keyboard: a button that appears under the mouse may move before the click arrives. */
async function presses(person, name) {
  await person.button(name).press("Enter");
}

async function twoPeople(t, options) {
  const room = unique("room");
  const ann = await (await ChatPage.open(t, chromium, server, options)).signIn("ann");
  const bob = await (await ChatPage.open(t, chromium, server)).signIn("bob");
  for (const it of [ann, bob]) await it.joinRoom(room);
  return { ann, bob, room };
}

test("an edit appears in place, and stays after a reload", async (t) => {
  const { ann, bob, room } = await twoPeople(t);
  await ann.send("teh text");
  await bob.waitForMessage("teh text");
  await presses(ann, "Edit: teh text");
  await editor(ann).fill("the text");
  await ann.saveScreenshot("editing");
  await ann.button("Save").click();
  for (const it of [ann, bob]) {
    await it.waitForMessage("the text");
    await it.waitForMessage("(edited)");
    assert.equal(await it.count("teh text"), 0);
  }
  await ann.saveScreenshot("edited");
  await bob.page.reload();
  await bob.connected();
  await bob.room(room).click();
  await bob.waitForMessage("the text");
  await bob.waitForMessage("(edited)");
});

test("by keyboard: arrow up edits, Escape discards, Enter saves", async (t) => {
  const { ann, bob } = await twoPeople(t);
  const { keyboard } = ann.page;
  await ann.send("first");
  await bob.waitForMessage("first");
  await ann.button("Edit: first").waitFor({ state: "attached" }); // once it is acknowledged
  await ann.messageBox.press("ArrowUp");
  await editor(ann).fill("not this");
  await keyboard.press("Escape");
  await ann.waitForMessage("first");
  await keyboard.type("so the field has the focus again");
  await ann.messageBox.fill("");
  await ann.messageBox.press("ArrowUp");
  await editor(ann).fill("second");
  await keyboard.press("Enter");
  await bob.waitForMessage("second");
  assert.equal(await bob.count("not this"), 0);
});

test("a deleted message is replaced by a note", async (t) => {
  const { ann, bob, room } = await twoPeople(t);
  await ann.send("a secret");
  await bob.waitForMessage("a secret");
  await deletes(ann, "a secret");
  for (const it of [ann, bob]) {
    await it.waitForMessage("Message deleted");
    assert.equal(await it.count("a secret"), 0);
  }
  await ann.saveScreenshot("deleted");
  const tab = await ChatPage.open(t, chromium, server, { sharing: bob });
  await tab.room(room).click();
  await tab.waitForMessage("Message deleted");
});

test("only the author edits, and a room's admin deletes messages of others", async (t) => {
  const { ann, bob } = await twoPeople(t); // ann joined first and owns the room
  await bob.send("nonsense");
  await ann.send("sense");
  for (const it of [ann, bob]) await it.waitForMessage("sense");
  assert.equal(await ann.button("Edit: nonsense").count(), 0);
  assert.equal(await bob.button("Edit: sense").count(), 0);
  assert.equal(await bob.button("Delete: sense").count(), 0);
  await deletes(ann, "nonsense");
  await bob.waitForMessage(`Message deleted by ${ann.name}`);
});

test("messages of an earlier guest with the same name are not one's own", async (t) => {
  const room = unique("room");
  const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
  const earlier = await joinAsGuest(t, wsJson, server, "ann", { room });
  const { at } = assertOk(await earlier.ask("send message", "of another guest"));
  await earlier.close();
  await bob.next("user left", ({ user }) => user === earlier.name);
  await waitUntil("the next second", async () => {
    const { headers } = await fetch(`${server.url}/health/live`);
    return Date.parse(headers.get("date")) > Date.parse(at);
  });
  const ann = await ChatPage.open(t, chromium, server);
  await ann.nameBox.fill(earlier.name);
  await ann.nameBox.press("Enter");
  await ann.connected();
  await ann.joinRoom(room);
  await ann.send("my own");
  const tab = await ChatPage.open(t, chromium, server, { sharing: ann });
  await tab.room(room).click();
  for (const it of [ann, tab]) {
    await it.button("Edit: my own").waitFor({ state: "attached" });
    await it.waitForMessage("of another guest");
    assert.equal(await it.button("Edit: of another guest").count(), 0);
    assert.equal(await it.button("Delete: of another guest").count(), 0);
  }
});

test("edits and deletions of direct messages reach the other user", async (t) => {
  const { ann, bob } = await twoPeople(t);
  await ann.person(bob.name).click();
  for (const text of ["one", "two"]) {
    await ann.send(text);
    await ann.button(`Edit: ${text}`).waitFor({ state: "attached" });
  }
  await bob.person(ann.name, 2).click();
  await bob.waitForMessage("two");
  await presses(ann, "Edit: one");
  await editor(ann).fill("uno");
  await editor(ann).press("Enter");
  await deletes(ann, "two");
  for (const it of [ann, bob]) {
    await it.waitForMessage("uno");
    await it.waitForMessage("Message deleted");
  }
});

test("changes that a page missed appear after it reconnects", async (t) => {
  const room = unique("room");
  const ann = await (await ChatPage.open(t, chromium, server, { expected })).signIn("ann");
  await ann.joinRoom(room);
  const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
  for (const text of ["one", "two", "three"]) assertOk(await bob.ask("send message", text));
  await ann.waitForMessage("three");
  await ann.page.context().setOffline(true);
  await ann.status.filter({ hasText: /Offline|Reconnecting/ }).waitFor({ state: "attached" });
  assertOk(await bob.ask("edit message", { seq: 1, msg: "uno" }));
  assertOk(await bob.ask("delete message", { seq: 2 }));
  await ann.page.context().setOffline(false);
  await ann.connected();
  for (const text of ["uno", "Message deleted", "three"]) await ann.waitForMessage(text);
  for (const text of ["one", "two"]) assert.equal(await ann.count(text), 0);
});

test("tools stand beside a message and cover no text, and the confirmation, too", async (t) => {
  const { ann } = await twoPeople(t);
  for (const text of ["hi", "a long message that fills its lines ".repeat(8).trim(), "ok"]) {
    await ann.send(text);
    await ann.button(`Delete: ${text.slice(0, 40)}${text.length > 40 ? "…" : ""}`).waitFor();
  }
  for (const name of ["Edit: hi", "Delete: hi", "Edit: ok"]) {
    await ann.button(name).focus();
    assert.deepEqual(await covered(ann, ".tools button"), [], name);
  }
  await ann.log.getByText("hi", { exact: true }).hover();
  await ann.saveScreenshot("tools");
  await ann.button("Delete: hi").click();
  await ann.button("Really delete? Delete: hi").waitFor();
  assert.deepEqual(await covered(ann, ".confirmation"), []);
  await ann.saveScreenshot("really-delete");
  await ann.page.keyboard.press("Escape");
  assert.equal(await ann.button("Really delete? Delete: hi").count(), 0);
  await ann.waitForMessage("hi");
});

test("on a touch screen a tap shows the tools of one message at a time", async (t) => {
  const options = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
  const ann = await (await ChatPage.open(t, chromium, server, options)).signIn("ann");
  const texts = ["one", "two"].map(unique);
  const touch = { pointerType: "touch" };
  for (const text of texts) {
    await ann.send(text);
    await ann.button(`Edit: ${text}`).waitFor({ state: "attached" });
  }
  const shown = () =>
    ann.log
      .locator(".tools")
      .evaluateAll((all) => all.filter((it) => it.getBoundingClientRect().width > 1).length);
  assert.equal(await shown(), 0, "tools without a tap");
  for (const text of texts) {
    await ann.log.getByText(text, { exact: true }).tap();
    assert.equal(await shown(), 1, text);
    const { width, height } = await ann.button(`Edit: ${text}`).boundingBox();
    assert.ok(44 <= width && 44 <= height, `a target of ${width} × ${height}`);
  }
  assert.deepEqual(await covered(ann, ".message.chosen .tools button"), []);
  await ann.saveScreenshot("narrow-tools");
  await ann.log.getByText(texts[0], { exact: true }).dispatchEvent("pointerdown", touch);
  await ann.log.locator(".message.chosen").filter({ hasText: texts[0] }).waitFor();
  assert.equal(await shown(), 1, "a long press");
  await ann.log.getByText(texts[0], { exact: true }).dispatchEvent("pointerup", touch);
  await ann.log.getByText(texts[0], { exact: true }).dispatchEvent("click");
  assert.equal(await shown(), 1, "the click that ends a long press");
  await ann.log.getByText(texts[1], { exact: true }).tap();
  await ann.button(`Edit: ${texts[1]}`).tap();
  await editor(ann).fill("changed");
  await editor(ann).press("Enter");
  await ann.waitForMessage("changed");
});

/** The texts of the log that elements of `selector` cover. */
const covered = ({ log }, selector) =>
  log.evaluate((node, wanted) => {
    const boxes = [...node.querySelectorAll(wanted)].map((it) => it.getBoundingClientRect());
    const overlaps = (a, b) =>
      a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
    return [...node.querySelectorAll(".bubble, .by:not(.own .by)")]
      .filter((it) => boxes.some((box) => overlaps(box, it.getBoundingClientRect())))
      .map((it) => it.textContent);
  }, selector);

test("a refused edit shows the reason beside the editor, which stays open", async (t) => {
  const { ann } = await twoPeople(t);
  await ann.send("short");
  await presses(ann, "Edit: short");
  await editor(ann).fill("long ".repeat(600));
  await editor(ann).press("Enter");
  await ann.log.getByRole("alert").filter({ hasText: "too long" }).waitFor();
  await editor(ann).press("Escape");
  await ann.waitForMessage("short");
});
