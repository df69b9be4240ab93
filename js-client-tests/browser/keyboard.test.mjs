// The page by keyboard only.

import assert from "node:assert/strict";
import { test } from "node:test";

import { browserForThisFile, ChatPage } from "../support/chat-page.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

/** More than the page has tab stops. */
const TABS_MAX = 40;

const server = serverForThisFile();
const chromium = browserForThisFile();

test("signing in, writing, changing rooms and signing out by keyboard", async (t) => {
  const room = unique("room");
  const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
  const ann = await ChatPage.open(t, chromium, server);
  const { keyboard } = ann.page;

  ann.name = unique("ann");
  await ann.nameBox.waitFor();
  await keyboard.type(ann.name); // the field has the focus already
  await keyboard.press("Enter");
  await ann.connected();

  const text = unique("text");
  await ann.messageBox.waitFor();
  await keyboard.type(text); // this one, too
  await keyboard.press("Enter");
  await ann.waitForMessage(text);

  await tabTo(ann, ann.page.getByRole("textbox", { name: "Room name", exact: true }));
  await keyboard.type(room);
  await keyboard.press("Enter");
  await ann.room(room).waitFor();
  await tabTo(ann, ann.messageBox);
  await keyboard.type("first line");
  await keyboard.press("Shift+Enter");
  await keyboard.type("second line");
  await keyboard.press("Enter");
  assert.equal((await bob.next("new message")).msg, "first line\nsecond line");

  await tabTo(ann, ann.room("lobby"));
  await visible(ann);
  await ann.saveScreenshot("keyboard-focus");
  await keyboard.press("Enter");
  await ann.waitForMessage(text);

  await tabTo(ann, ann.page.getByRole("button", { name: "Sign out" }));
  await keyboard.press("Enter");
  await ann.nameBox.waitFor();
});

test("Enter on an empty message sends nothing", async (t) => {
  const room = unique("room");
  const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  await ann.joinRoom(room);
  await ann.messageBox.focus();
  for (const keys of ["", "   ", " \t "]) {
    await ann.messageBox.fill(keys);
    await ann.page.keyboard.press("Enter");
  }
  await ann.send("something");
  assert.equal((await bob.next("new message")).seq, 1);
});

/** Presses Tab until `locator` has the focus. */
async function tabTo({ page }, locator) {
  const focused = () => locator.evaluate((it) => it === document.activeElement);
  for (let tabs = 0; !(await focused()); tabs += 1) {
    assert.ok(tabs < TABS_MAX, `${locator} cannot be reached by Tab`);
    await page.keyboard.press("Tab");
  }
}

/** The focused element must show its focus. */
async function visible({ page }) {
  const shows = await page.evaluate(() => {
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(document.activeElement);
    return (outlineStyle !== "none" && outlineWidth !== "0px") || boxShadow !== "none";
  });
  assert.ok(shows, "the focus is not visible");
}
