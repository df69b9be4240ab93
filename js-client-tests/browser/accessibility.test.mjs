// Every view of the page meets WCAG 2.2 AA, light and dark, on wide and on narrow screens.

import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { assertAccessible } from "../support/axe.mjs";
import { browserForThisFile, ChatPage } from "../support/chat-page.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { mintToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile();
const chromium = browserForThisFile();

const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

/** Views, each reached from the one before: a name and `show({ ann, bob, room })`. */
const VIEWS = [
  ["sign-in", ({ ann }) => ann.nameBox.waitFor()],
  [
    "sign-in-refused",
    async ({ ann }) => {
      await ann.nameBox.press("Enter");
      await ann.page.getByText("A name has 1 to 32 characters").waitFor();
    },
  ],
  [
    "empty-conversation",
    async ({ ann, room }) => {
      await signInAsAdmin(ann);
      await showMenu(ann);
      await ann.page.getByRole("textbox", { name: "Room name", exact: true }).fill(room);
      await ann.page.getByRole("button", { name: "Join room", exact: true }).click();
      await ann.page.getByText("Say hello and be the first.").waitFor();
    },
  ],
  [
    "members",
    async ({ ann, room }) => {
      await showMenu(ann);
      await ann.button("Everyone").click();
      await ann.page.getByRole("dialog", { name: `People in ${room}` }).waitFor();
    },
  ],
  ["conversation", conversation],
  // What appears may cover the message.
  ["message-tools", ({ ann }) => ann.log.getByText("Of ann").hover({ force: true })],
  [
    "message-editor",
    async ({ ann }) => {
      await ann.messageBox.press("ArrowUp");
      await ann.page.getByRole("textbox", { name: "Edit message" }).waitFor();
    },
  ],
  [
    "image",
    async ({ ann, bob }) => {
      await ann.page.keyboard.press("Escape");
      const image = { base64: PNG.toString("base64") };
      assertOk(await bob.ask("send message", { msg: { image, type: "image/png", name: "a dot" } }));
      await ann.log.getByRole("img", { name: "a dot" }).waitFor();
    },
  ],
  [
    "topic-field",
    async ({ ann }) => {
      await ann.button("Set a topic").click();
      await ann.page.getByRole("textbox", { name: "Topic of this room", exact: true }).waitFor();
    },
  ],
  [
    "topic",
    async ({ ann }) => {
      await ann.page.keyboard.type("All that we plan for the month of May, and for the summer");
      await ann.page.keyboard.press("Enter");
      await ann.button("Change the topic").waitFor();
    },
  ],
  ["details", ({ ann }) => ann.openDetails()],
  [
    "notifications",
    async ({ ann }) => {
      await ann.page.keyboard.press("Escape");
      await ann.notificationsButton().click();
      await ann.page.getByText("Nothing yet.").waitFor();
    },
  ],
  [
    "direct-message",
    async ({ ann, bob }) => {
      await ann.page.keyboard.press("Escape");
      await showMenu(ann);
      await ann.person(bob.name).click();
      await ann.send("Psst");
      await ann.waitForMessage("Psst");
    },
  ],
  ["people", ({ ann }) => showMenu(ann)],
  [
    "rooms",
    async ({ ann }) => {
      await ann.button("Browse").click();
      await ann.page.getByRole("dialog", { name: "Rooms", exact: true }).waitFor();
    },
  ],
  [
    "switcher",
    async ({ ann }) => {
      await ann.page.keyboard.press("Escape");
      await ann.page.keyboard.press("Control+k");
      await ann.page.getByRole("dialog", { name: "Go to", exact: true }).waitFor();
    },
  ],
  [
    "offline",
    async ({ ann }) => {
      await ann.page.keyboard.press("Escape");
      await ann.page.context().setOffline(true);
      await ann.page.getByText("You are offline.").waitFor();
    },
  ],
];

for (const colorScheme of ["light", "dark"]) {
  for (const [screen, options] of [
    ["wide", { viewport: { width: 1280, height: 800 } }],
    ["narrow", { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }],
  ]) {
    test(`every view is accessible: ${colorScheme}, ${screen}`, async (t) => {
      const expected = [/api\/session/, /ERR_INTERNET_DISCONNECTED|WebSocket|socket\.io/];
      const settings = { expected, colorScheme, reducedMotion: "reduce", ...options };
      const ann = await ChatPage.open(t, chromium, server, settings);
      const room = unique("room");
      const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
      for (const [view, show] of VIEWS) {
        await show({ ann, bob, room });
        await ann.saveScreenshot(`${view}-${colorScheme}-${screen}`);
        await assertAccessible(ann, `${view}, ${colorScheme}, ${screen}`);
      }
    });
  }
}

/** An admin sees all controls of a room. */
async function signInAsAdmin(ann) {
  ann.name = unique("ann");
  const token = await mintToken(server, ann.name, "--admin");
  await ann.page.evaluate(
    async (claim) => {
      const headers = { "content-type": "application/json" };
      await fetch("/api/session", { method: "POST", headers, body: JSON.stringify(claim) });
    },
    { token },
  );
  await ann.page.reload();
  await ann.connected();
}

/** Messages of every kind: own ones and others, edited, deleted, JSON. */
async function conversation({ ann, bob, room }) {
  await closeMenu(ann);
  await ann.send("Of ann");
  await ann.waitForMessage("Of ann");
  const { seq } = assertOk(await bob.ask("send message", "Gone soon"));
  const edited = assertOk(await bob.ask("send message", "Of bob"));
  assertOk(await bob.ask("delete message", { seq }));
  assertOk(await bob.ask("edit message", { seq: edited.seq, msg: "Edited by bob" }));
  assertOk(await bob.ask("send message", { msg: { json: [1, 2] } }));
  assertOk(await bob.ask("typing", { room, typing: true }));
  await ann.waitForMessage("Edited by bob");
  await ann.page.getByText('{"json":[1,2]}').waitFor();
}

/** Closes the dialog that is open, and the drawer below it. */
async function closeMenu({ page }) {
  await page.keyboard.press("Escape");
  const menu = page.getByRole("button", { name: /^Rooms and people/ });
  if ((await menu.isVisible()) && (await menu.getAttribute("aria-expanded")) === "true") {
    await page.keyboard.press("Escape");
  }
}

/** Rooms and people, which narrow screens have in a drawer. */
async function showMenu({ page }) {
  const menu = page.getByRole("button", { name: /^Rooms and people/ });
  if ((await menu.isVisible()) && (await menu.getAttribute("aria-expanded")) === "false") {
    await menu.click();
  }
}
