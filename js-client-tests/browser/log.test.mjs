// The message log: it follows its end, and what is not in view is not read.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { browserForThisFile, ChatPage } from "../support/chat-page.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { imageBody, png } from "../support/images.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { unique } from "../support/unique.mjs";
import { waitUntil } from "../support/wait-until.mjs";
import { wsJson } from "../support/ws.mjs";

const IMAGES = 20;
const RELOADS = 5;
/** More than two pages of history. */
const UNREAD = 120;

const server = serverForThisFile();
const chromium = browserForThisFile();

async function annAndBob(t) {
  const room = unique("room");
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  await ann.joinRoom(room);
  return { ann, room, bob: await joinAsGuest(t, wsJson, server, "bob", { room }) };
}

/** Waits until all images up to `last` are decoded, and returns how far the log is from its end. */
async function distanceFromEnd({ log }, last) {
  await log.getByRole("img", { name: last, exact: true }).waitFor();
  return log.evaluate(async (node) => {
    await Promise.all([...node.querySelectorAll("img")].map((it) => it.decode().catch(() => {})));
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    return node.scrollHeight - node.scrollTop - node.clientHeight;
  });
}

const image = (n) => imageBody(png(300, 60 + 37 * n), { name: `${n}.png` });

/** Whether `text` is within the visible part of the log. */
const isInView = ({ log }, text) =>
  log.getByText(text, { exact: true }).evaluate((it) => {
    const [row, view] = [it, it.closest("#log")].map((node) => node.getBoundingClientRect());
    return view.top <= row.top && row.bottom <= view.bottom;
  });

/** Hides the page or shows it, as a browser does with a tab in the background. */
const setVisibility = ({ page }, state) =>
  page.evaluate((visibility) => {
    Object.defineProperty(document, "visibilityState", { configurable: true, value: visibility });
    document.dispatchEvent(new Event("visibilitychange"));
  }, state);

test("images arrive and pages reload, and the end stays in view", async (t) => {
  const { ann, bob } = await annAndBob(t);
  for (let n = 0; n < IMAGES; n += 1) {
    assertOk(await bob.ask("send message", { msg: image(n) }));
    const left = await distanceFromEnd(ann, `${n}.png`);
    assert.ok(left < 2, `${left} px from the end after image ${n}`);
  }
  await bob.next("read", ({ user, seq }) => user === ann.name && seq === IMAGES);
  for (let n = 0; n < RELOADS; n += 1) {
    await ann.page.reload();
    await ann.connected();
    const left = await distanceFromEnd(ann, `${IMAGES - 1}.png`);
    assert.ok(left < 2, `${left} px from the end after reload ${n}`);
  }
});

test("unread messages are shown from the first, and are read as they come into view", async (t) => {
  const { ann, bob, room } = await annAndBob(t);
  await ann.room("lobby").click();
  await bob.askAll(
    "send message",
    Array.from({ length: UNREAD }, (_, n) => ({ msg: `message ${n}` })),
  );
  await ann.room(room, UNREAD).click();
  await ann.waitForMessage("message 0");
  const first = await bob.next("read", ({ user }) => user === ann.name);
  assert.ok(0 < first.seq && first.seq < 40, `read to ${first.seq}`);
  assert.ok(await isInView(ann, "message 0"), "the first new message is not in view");
  const button = ann.page.getByRole("button", { name: /^\d+ new messages?$/ });
  const below = Number.parseInt(await button.textContent(), 10);
  assert.ok(UNREAD - 40 < below && below < UNREAD, `${below} are said to be below`);
  await ann.saveScreenshot("new-messages");

  // What arrives below the view is counted, and nothing moves.
  assertOk(await bob.ask("send message", "one more"));
  await ann.button(`${below + 1} new messages`).click();
  assert.equal(await isInView(ann, "one more"), false, "unread messages were skipped");
  await ann.log.evaluate((it) => it.scrollTo(0, it.scrollHeight));
  await bob.next("read", ({ user, seq }) => user === ann.name && seq === UNREAD + 1);
  await button.waitFor({ state: "hidden" });
  await ann.room(room, "\\d+").waitFor({ state: "detached" });
});

test("what arrives while the page is hidden waits at the line New", async (t) => {
  const { ann, bob, room } = await annAndBob(t);
  assertOk(await bob.ask("send message", "seen"));
  await ann.waitForMessage("seen");
  await bob.next("read", ({ user, seq }) => user === ann.name && seq === 1);
  await setVisibility(ann, "hidden");
  await bob.askAll(
    "send message",
    Array.from({ length: 25 }, (_, n) => ({ msg: `hidden ${n}` })),
  );
  await ann.room(room, 25).waitFor(); // nothing is read while nobody can see it
  await setVisibility(ann, "visible");
  const { seq } = await bob.next("read", ({ user }) => user === ann.name);
  assert.ok(1 < seq && seq < 26, `read to ${seq}`);
  assert.ok(await isInView(ann, "hidden 0"), "the first new message is not in view");
});

test("a reader of older messages stays there, whatever arrives or changes its size", async (t) => {
  const { ann, bob } = await annAndBob(t);
  await bob.askAll(
    "send message",
    Array.from({ length: 60 }, (_, n) => ({ msg: `a message of some length, number ${n}` })),
  );
  const text = "a message of some length, number 30";
  await ann.waitForMessage("a message of some length, number 59");
  await ann.log.getByText(text, { exact: true }).evaluate((it) => it.scrollIntoView());
  const top = () =>
    ann.log.getByText(text, { exact: true }).evaluate((it) => it.getBoundingClientRect().top);
  await ann.button("Latest messages").waitFor();
  const before = await top();
  for (let n = 0; n < 3; n += 1) assertOk(await bob.ask("send message", { msg: image(n) }));
  await ann.log.getByRole("img").nth(2).waitFor();
  assertOk(await bob.ask("edit message", { seq: 20, msg: "longer\n".repeat(20) }));
  await ann.waitForMessage("(edited)");
  assert.ok(Math.abs((await top()) - before) < 2, "moved by what arrived");
  await ann.page.setViewportSize({ width: 700, height: 600 });
  await waitUntil("the same message at the top", async () => Math.abs((await top()) - before) < 2);
});
