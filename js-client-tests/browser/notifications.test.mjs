// The bell: what the back end tells somebody, wherever they are.

import assert from "node:assert/strict";
import { test } from "node:test";

import { accepted } from "../support/assert.mjs";
import { browserForThisFile, Person } from "../support/browser.mjs";
import { unique } from "../support/names.mjs";
import { comeBack } from "../support/people.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { minted } from "../support/tokens.mjs";
import { plain } from "../support/ws.mjs";

const server = serverForThisFile();
const chromium = browserForThisFile();

/** Somebody who may notify. */
async function office(t) {
  return comeBack(t, plain, server, await minted(server, unique("office"), "--admin"));
}

const panel = ({ page }) => page.getByRole("dialog", { name: "Notifications", exact: true });

test("the bell counts, opens what came, and is quiet once that was seen", async (t) => {
  const ann = await (await Person.open(t, chromium, server)).signIn("ann");
  const tab = await Person.open(t, chromium, server, { beside: ann });
  await tab.connected();
  const notifier = await office(t);
  for (const data of ["your parcel is here", { text: "and the bill", amount: 7 }]) {
    accepted(await notifier.ask("notify", { to: ann.name, data }));
  }
  for (const it of [ann, tab]) await it.bell(2).waitFor();
  await ann.picture("bell");
  await ann.bell(2).click();
  for (const text of ["your parcel is here", "and the bill"]) {
    await panel(ann).getByText(text, { exact: true }).waitFor();
  }
  await ann.picture("notifications");
  for (const it of [ann, tab]) await it.bell(2).waitFor({ state: "detached" });
  accepted(await notifier.ask("notify", { to: ann.name, data: "one more" }));
  await panel(ann).getByText("one more", { exact: true }).waitFor();
  await ann.page.keyboard.press("Escape");
  await panel(ann).waitFor({ state: "hidden" });
  await ann.bell(1).waitFor({ state: "detached" });
});

test("what came while nobody was there is counted on coming", async (t) => {
  const ann = await (await Person.open(t, chromium, server)).signIn("ann");
  const notifier = await office(t);
  await ann.page.goto("about:blank");
  accepted(await notifier.ask("notify", { to: ann.name, data: "meanwhile" }));
  await ann.page.goto(server.url);
  await ann.bell(1).click();
  await panel(ann).getByText("meanwhile", { exact: true }).waitFor();
  await ann.bell(1).waitFor({ state: "detached" });
  await ann.page.reload();
  await ann.connected();
  await ann.bell().waitFor();
  assert.equal(await ann.bell(1).count(), 0);
});
