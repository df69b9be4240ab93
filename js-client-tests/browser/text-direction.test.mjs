// Names and texts of any script and length: each has its own direction, and nothing overflows.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { browserForThisFile, ChatPage } from "../support/chat-page.mjs";
import { connectAnonymously } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile();
const chromium = browserForThisFile();

const NAME_CHARACTERS_MAX = 32;
const ROOM_CHARACTERS_MAX = 64;

const ARABIC = "مرحبا بكم في الغرفة الجديدة";
const MIXED = "عربي then Latin, 123 وأيضا 👩‍👩‍👧‍👦 «نص»";

/** A unique name of this many characters. */
const long = (word, length) =>
  `${word.repeat(length).slice(0, length - 10)}-${unique("").slice(-9)}`;

for (const [width, height] of [
  [390, 844],
  [1280, 800],
]) {
  test(`on a screen of ${width} px nothing overflows, and texts have their direction`, async (t) => {
    const options = { viewport: { width, height }, reducedMotion: "reduce" };
    const ann = await ChatPage.open(t, chromium, server, options);
    await ann.nameBox.fill("مريم");
    assert.equal(await direction(ann.nameBox), "rtl");
    await ann.signIn("Wolfeschlegelsteinhaus");
    const room = long("غرفة", ROOM_CHARACTERS_MAX);
    const bob = await connectAnonymously(t, wsJson, server, { room });
    const name = long("عبدالرحمن", NAME_CHARACTERS_MAX);
    await bob.identify(name);
    await bob.ask("join", { room });
    await join(ann, room);
    for (const msg of [
      ARABIC,
      MIXED,
      "English",
      "ا".repeat(5_000),
      "m".repeat(5_000),
      "🧑🏽‍🚀".repeat(200),
    ]) {
      assertOk(await bob.ask("send message", { room, msg }));
      await ann.send(msg);
    }
    assertOk(await bob.ask("send message", { room, msg: { نص: "م".repeat(500) } }));
    await ann.log.locator("code").waitFor();
    await fits(ann, "conversation");
    for (const [text, expected] of [
      [ARABIC, "rtl"],
      [MIXED, "rtl"],
      ["English", "ltr"],
    ]) {
      const shown = ann.log.getByText(text, { exact: true });
      for (const it of await shown.all()) assert.equal(await direction(it), expected, text);
    }
    assert.equal(await direction(ann.page.getByRole("heading", { level: 1, name: room })), "rtl");
    assert.equal(await direction(ann.log.getByText(name, { exact: true }).first()), "rtl");
    await ann.saveScreenshot(`text-direction-${width}`);

    await ann.messageBox.fill(`${ARABIC} ${"م".repeat(300)}`);
    assert.equal(await direction(ann.messageBox), "rtl");
    await fits(ann, "composer");
    await ann.messageBox.fill("");
    await ann.openDetails();
    assert.equal(await direction(ann.page.getByRole("heading", { level: 2, name: room })), "rtl");
    await fits(ann, "details");
    await ann.page.keyboard.press("Escape");
    await showMenu(ann);
    await fits(ann, "people");
    await ann.saveScreenshot(`text-direction-people-${width}`);
    await ann.person(name).click();
    await ann.send(ARABIC);
    await ann.waitForMessage(ARABIC);
    await fits(ann, "direct message");
  });
}

test("in the lists names of all scripts begin at the same side", async (t) => {
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  const rooms = ["غرفة", "room"].map(unique);
  for (const it of rooms) await ann.joinRoom(it);
  const [rtl, ltr] = await Promise.all(rooms.map((it) => textLeft(ann.room(it).locator(".name"))));
  assert.equal(rtl, ltr);
});

/** Where the text of an element begins. */
const textLeft = (locator) =>
  locator.evaluate((it) => {
    const range = document.createRange();
    range.selectNodeContents(it);
    return Math.round(range.getBoundingClientRect().left);
  });

/** The direction in which an element shows its text. */
const direction = (locator) => locator.evaluate((it) => getComputedStyle(it).direction);

async function join(ann, room) {
  await showMenu(ann);
  await ann.page.getByRole("textbox", { name: "Room name", exact: true }).fill(room);
  await ann.page.getByRole("button", { name: "Join room", exact: true }).click();
  await ann.page.getByRole("heading", { level: 1, name: room }).waitFor();
}

/** Rooms and people, which narrow screens have in a drawer. */
async function showMenu({ page }) {
  const menu = page.getByRole("button", { name: /^Rooms and people/ });
  if (await menu.isVisible()) await menu.click();
}

/** Nothing is wider than its place: neither the page nor what scrolls in it. */
async function fits({ page }, view) {
  const wide = await page.evaluate(() =>
    [...document.querySelectorAll("*")]
      .filter((it) => it.checkVisibility() && it.scrollWidth > it.clientWidth)
      // What is cut off with dots or is spoken only does not overflow.
      .filter(
        (it) => /auto|scroll/.test(getComputedStyle(it).overflowX) || it.matches("html, body"),
      )
      .map((it) => `${it.tagName}#${it.id}: ${it.scrollWidth} > ${it.clientWidth}`),
  );
  assert.deepEqual(wide, [], view);
  const outside = await page.evaluate(() => {
    const parts = [
      ...document.querySelectorAll("button, input, textarea, .bubble, .row, h1, h2, h3, p"),
    ];
    return parts
      .filter((it) => it.checkVisibility({ visibilityProperty: true }) && !it.closest(".spoken"))
      .filter((it) => {
        const { left, right } = it.getBoundingClientRect();
        return right > innerWidth + 1 || left < -1;
      })
      .map((it) => it.outerHTML.slice(0, 100));
  });
  assert.deepEqual(outside, [], view);
}
