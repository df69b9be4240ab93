// Typing indicators on the page.

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

async function annAndOthers(t, ...bases) {
  const room = unique("room");
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  await ann.joinRoom(room);
  const others = [];
  for (const base of bases) others.push(await joinAsGuest(t, wsJson, server, base, { room }));
  return { ann, others, room };
}

const typing = ({ page }, text) => page.getByText(text, { exact: true });

test("others' typing is shown until it ends or a message arrives", async (t) => {
  const {
    ann,
    others: [bob, carol],
  } = await annAndOthers(t, "bob", "carol");
  assertOk(await bob.ask("typing", { typing: true }));
  await typing(ann, `${bob.name} is typing…`).waitFor();
  assertOk(await carol.ask("typing", { typing: true }));
  await typing(ann, `${bob.name} and ${carol.name} are typing…`).waitFor();
  await ann.saveScreenshot("typing");
  assertOk(await bob.ask("typing", { typing: false }));
  await typing(ann, `${carol.name} is typing…`).waitFor();
  assertOk(await carol.ask("send message", "done"));
  await ann.waitForMessage("done");
  await typing(ann, `${carol.name} is typing…`).waitFor({ state: "detached" });
});

test("typing without an end is hidden after a timeout", async (t) => {
  const {
    ann,
    others: [bob],
  } = await annAndOthers(t, "bob");
  assertOk(await bob.ask("typing", { typing: true }));
  await typing(ann, `${bob.name} is typing…`).waitFor();
  await typing(ann, `${bob.name} is typing…`).waitFor({ state: "detached" });
});

test("typing is sent once, and ends when the field is empty or loses the focus", async (t) => {
  const {
    ann,
    others: [bob],
  } = await annAndOthers(t, "bob");
  const { keyboard } = ann.page;
  await ann.messageBox.focus();
  await keyboard.type("a");
  assert.deepEqual(await received(bob, ann), [true, 1]);
  await keyboard.type("bc");
  for (let i = 0; i < 3; i += 1) await keyboard.press("Backspace");
  assert.deepEqual(await received(bob, ann), [false, 1]);
  assert.equal(await typing(ann, `${ann.name} is typing…`).count(), 0);
});

test("a message ends it, and so does leaving the field", async (t) => {
  const {
    ann,
    others: [bob],
  } = await annAndOthers(t, "bob");
  await ann.messageBox.pressSequentially("hello");
  assert.deepEqual(await received(bob, ann), [true, 1]);
  await ann.page.keyboard.press("Enter");
  await bob.next("new message");
  await ann.person(bob.name).click();
  await ann.messageBox.pressSequentially("psst");
  const where = await bob.next("typing", ({ typing: is, with: other }) => is && other === ann.name);
  assert.equal(where.user, ann.name);
  await ann.messageBox.blur();
  await bob.next("typing", ({ typing: is, with: other }) => !is && other === ann.name);
});

/** The next typing event that a client receives from a user, and how many arrived. */
async function received(bob, { name }) {
  const { user, typing: is } = await bob.next("typing");
  assert.equal(user, name);
  return [is, 1 + bob.take("typing").length];
}
