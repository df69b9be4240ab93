// The page on a telephone screen.

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

for (const [width, height] of [
  [390, 844],
  [320, 568],
]) {
  test(`everything is usable on ${width} × ${height}`, async (t) => {
    const options = { viewport: { width, height }, hasTouch: true, isMobile: true };
    const ann = await ChatPage.open(t, chromium, server, options);
    await fits(ann);
    await ann.signIn("ann");
    await fits(ann);
    const room = unique("room");
    const bob = await joinAsGuest(t, wsJson, server, "bob", { room });

    await ann.page.getByRole("button", { name: /^Rooms and people/ }).click();
    await fits(ann);
    await ann.saveScreenshot(`narrow-${width}-menu`);
    await ann.page.getByRole("button", { name: "Go to…" }).click();
    await ann.page.keyboard.type(room);
    await ann.page.getByRole("option", { name: room }).waitFor();
    await fits(ann);
    await ann.saveScreenshot(`narrow-${width}-switcher`);
    await ann.page.keyboard.press("Escape");
    await ann.button("Everyone").click();
    await ann.page.getByRole("dialog").getByText(ann.name).waitFor();
    await fits(ann);
    await ann.page.keyboard.press("Escape");
    await ann.page.getByRole("textbox", { name: "Room name", exact: true }).fill(room);
    await ann.page.getByRole("button", { name: "Join room", exact: true }).click();
    await ann.messageBox.waitFor();

    const long = "a rather long message that has to be broken into several lines ".repeat(3).trim();
    await ann.send(long);
    assert.equal((await bob.next("new message")).msg, long);
    assertOk(await bob.ask("send message", "x".repeat(500)));
    await ann.waitForMessage("x".repeat(500));
    await fits(ann);
    await ann.saveScreenshot(`narrow-${width}`);
  });
}

/** Nothing is cut off at the side. */
async function fits({ page }) {
  const [content, window] = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    document.documentElement.clientWidth,
  ]);
  assert.ok(content <= window, `the page is ${content} wide on a screen of ${window}`);
}
