// Notifications of the desktop, with a browser that records them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { browserForThisFile, ChatPage } from "../support/chat-page.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { unique } from "../support/unique.mjs";
import { waitUntil } from "../support/wait-until.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile();
const chromium = browserForThisFile();

/** Replaces the browser's notifications; the user's answer to its question is `answer`. */
function recordNotifications(answer) {
  const shown = [];
  const stored = () => sessionStorage.getItem("permission") ?? "default"; // as browsers remember it
  const of = { questions: 0, shown };
  window.desktop = of;
  window.Notification = class {
    static get permission() {
      return stored();
    }
    static async requestPermission() {
      of.questions += 1;
      sessionStorage.setItem("permission", answer);
      return answer;
    }
    constructor(title, { body, tag }) {
      Object.assign(this, { title, body, tag, isClosed: false });
      shown.push(this);
    }
    close() {
      this.isClosed = true;
    }
  };
}

/** A page with these notifications, loaded anew. */
async function openWith(t, answer) {
  const person = await ChatPage.open(t, chromium, server);
  await person.page.addInitScript(recordNotifications, answer);
  await person.page.reload();
  return person.signIn("ann");
}

const desktop = ({ page }) =>
  page.evaluate(() => ({
    questions: window.desktop.questions,
    shown: window.desktop.shown.map(({ title, body, isClosed }) => ({ title, body, isClosed })),
  }));

const shownBy = async (person) => (await desktop(person)).shown;
const turn = ({ page }, to) =>
  page.getByRole("button", { name: `Turn ${to} desktop notifications` });

test("they are shown once the user wants them, of what is not in view", async (t) => {
  const room = unique("room");
  const ann = await openWith(t, "granted");
  await ann.joinRoom(room);
  await ann.room("lobby").click();
  const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
  assertOk(await bob.ask("send message", `@${ann.name} before`));
  await ann.room(room, 1).waitFor();
  await ann.notificationsButton().click();
  await turn(ann, "on").waitFor();
  assert.deepEqual(await desktop(ann), { questions: 0, shown: [] });
  await ann.saveScreenshot("desktop-off");
  await turn(ann, "on").click();
  await turn(ann, "off").waitFor();
  await ann.page.keyboard.press("Escape");

  for (const msg of ["not for you", `@${ann.name} a mention`]) {
    assertOk(await bob.ask("send message", msg));
  }
  await waitUntil("the notification", async () => (await shownBy(ann)).length > 0);
  assertOk(await bob.ask("SingleChat", { to: ann.name, data: "psst" }));
  await waitUntil("the direct message", async () => (await shownBy(ann)).length > 1);
  const mention = { title: `${bob.name} in ${room}`, body: `@${ann.name} a mention` };
  const direct = { title: bob.name, body: "psst" };
  const open = { isClosed: false };
  assert.deepEqual(await shownBy(ann), [
    { ...mention, ...open },
    { ...direct, ...open },
  ]);

  // A click leads there, and what has been read needs no notification.
  await ann.page.evaluate(() => window.desktop.shown[1].onclick());
  await ann.waitForMessage("psst");
  await ann.room(room).click();
  await ann.waitForMessage("not for you");
  await waitUntil("the end of both", async () => (await shownBy(ann)).every((it) => it.isClosed));

  // Of two messages the second is told: so the first, which was in view, never will be.
  assertOk(await bob.ask("send message", `@${ann.name} in view`));
  await ann.waitForMessage(`@${ann.name} in view`);
  assertOk(await bob.ask("SingleChat", { to: ann.name, data: "not in view" }));
  await waitUntil("the next one", async () => (await shownBy(ann)).length > 2);
  assert.equal((await shownBy(ann))[2].body, "not in view");

  // The choice is remembered, without another question; it can be taken back.
  await ann.page.reload();
  await ann.connected();
  await ann.notificationsButton().click();
  await turn(ann, "off").click();
  await turn(ann, "on").waitFor();
  assert.equal((await desktop(ann)).questions, 0);
});

test("a browser that refuses them says so, and is not asked again", async (t) => {
  const ann = await openWith(t, "denied");
  await ann.notificationsButton().click();
  await turn(ann, "on").click();
  await ann.waitForText("Your browser blocks notifications of this page.");
  assert.equal(await turn(ann, "on").isVisible(), false);
  assert.equal((await desktop(ann)).questions, 1);
});
