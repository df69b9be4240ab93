// Who types is seen by the others, for as long as they do.

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

test("others' typing is shown until they stop or have spoken", async (t) => {
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

test("who only began is forgotten after a while", async (t) => {
  const {
    ann,
    others: [bob],
  } = await annAndOthers(t, "bob");
  assertOk(await bob.ask("typing", { typing: true }));
  await typing(ann, `${bob.name} is typing…`).waitFor();
  await typing(ann, `${bob.name} is typing…`).waitFor({ state: "detached" });
});

test("one's own typing is told once, and its end when the field is empty or left", async (t) => {
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

/** What somebody hears next of another's typing, and how often it came. */
async function received(bob, { name }) {
  const { user, typing: is } = await bob.next("typing");
  assert.equal(user, name);
  return [is, 1 + bob.take("typing").length];
}
