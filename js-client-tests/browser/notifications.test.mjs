// The notifications button and panel.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { browserForThisFile, ChatPage } from "../support/chat-page.mjs";
import { connectWithToken } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { mintToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile();
const chromium = browserForThisFile();

/** An administrator who sends notifications. */
async function office(t) {
  return connectWithToken(t, wsJson, server, await mintToken(server, unique("office"), "--admin"));
}

const panel = ({ page }) => page.getByRole("dialog", { name: "Notifications", exact: true });

test("the button counts, opens the panel, and is reset when that was seen", async (t) => {
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  const tab = await ChatPage.open(t, chromium, server, { sharing: ann });
  await tab.connected();
  const notifier = await office(t);
  for (const data of ["your parcel is here", { text: "and the bill", amount: 7 }]) {
    assertOk(await notifier.ask("notify", { to: ann.name, data }));
  }
  for (const it of [ann, tab]) await it.notificationsButton(2).waitFor();
  await ann.saveScreenshot("bell");
  await ann.notificationsButton(2).click();
  for (const text of ["your parcel is here", "and the bill"]) {
    await panel(ann).getByText(text, { exact: true }).waitFor();
  }
  await ann.saveScreenshot("notifications");
  for (const it of [ann, tab]) await it.notificationsButton(2).waitFor({ state: "detached" });
  assertOk(await notifier.ask("notify", { to: ann.name, data: "one more" }));
  await panel(ann).getByText("one more", { exact: true }).waitFor();
  await ann.page.keyboard.press("Escape");
  await panel(ann).waitFor({ state: "hidden" });
  await ann.notificationsButton(1).waitFor({ state: "detached" });
});

test("notifications from before the page was opened are counted", async (t) => {
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  const notifier = await office(t);
  await ann.page.goto("about:blank");
  assertOk(await notifier.ask("notify", { to: ann.name, data: "meanwhile" }));
  await ann.page.goto(server.url);
  await ann.notificationsButton(1).click();
  await panel(ann).getByText("meanwhile", { exact: true }).waitFor();
  await ann.notificationsButton(1).waitFor({ state: "detached" });
  await ann.page.reload();
  await ann.connected();
  await ann.notificationsButton().waitFor();
  assert.equal(await ann.notificationsButton(1).count(), 0);
});
