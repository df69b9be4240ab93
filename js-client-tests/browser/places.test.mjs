// Addresses of conversations and messages, drafts, and a guest who returns.

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
const hasty = serverForThisFile({ settings: { "limits.presence_grace_ms": 200 } });
const chromium = browserForThisFile();

const address = ({ page }) => new URL(page.url()).hash;
const heading = ({ page }, name) => page.getByRole("heading", { name, level: 1, exact: true });

/** Loads the page anew at this address. */
async function visit(person, { url }, hash) {
  await person.page.goto("about:blank");
  await person.page.goto(`${url}/${hash}`);
}

test("every conversation has an address, with the browser's history", async (t) => {
  const room = `${unique("room")} / 1`;
  const bob = await joinAsGuest(t, wsJson, server, "bob");
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  await waitUntil("an address", () => address(ann) === "#/room/lobby");
  await ann.person(bob.name).click();
  await heading(ann, bob.name).waitFor();
  assert.equal(address(ann), `#/with/${bob.name}`);
  await ann.joinRoom(room);
  await heading(ann, room).waitFor();
  assert.equal(address(ann), `#/room/${encodeURIComponent(room)}`);
  await ann.page.goBack();
  await heading(ann, bob.name).waitFor();
  await ann.page.goBack();
  await heading(ann, "lobby").waitFor();
  await ann.page.goForward();
  await ann.page.goForward();
  await heading(ann, room).waitFor();
  await ann.page.reload();
  await ann.connected();
  await heading(ann, room).waitFor();

  // A link makes nobody a member; one to a person only opens the conversation.
  const foreign = unique("foreign");
  await visit(ann, server, `#/room/${foreign}`);
  const question = ann.page.getByRole("dialog", { name: "Join this room?" });
  await question.getByText(foreign).waitFor();
  await ann.saveScreenshot("join-offer");
  // Another address takes the question back, and may ask its own.
  const other = unique("other");
  await visit(ann, server, `#/room/${other}`);
  await question.getByText(other).waitFor();
  await visit(ann, server, "#/room/lobby");
  await heading(ann, "lobby").waitFor();
  await question.waitFor({ state: "hidden" });
  await visit(ann, server, `#/room/${foreign}`);
  await question.getByText(foreign).waitFor();
  await ann.page.keyboard.press("Escape");
  await waitUntil("the former address", () => address(ann).startsWith("#/room/"));
  assert.equal(await ann.room(foreign).count(), 0);
  await visit(ann, server, `#/room/${foreign}`);
  await question.getByRole("button", { name: "Join", exact: true }).click();
  await heading(ann, foreign).waitFor();
  await visit(ann, server, "#/with/nobody-yet");
  await heading(ann, "nobody-yet").waitFor();

  // The next user of this browser learns nothing from the address.
  await ann.page.getByRole("button", { name: "Sign out" }).click();
  await ann.nameBox.waitFor();
  assert.equal(address(ann), "");
});

test("an address survives the sign-in", async (t) => {
  const room = unique("room");
  const ann = await ChatPage.open(t, chromium, server);
  await visit(ann, server, `#/room/${room}`);
  await ann.signIn("ann");
  await ann.page.getByRole("dialog").getByRole("button", { name: "Join", exact: true }).click();
  await heading(ann, room).waitFor();
  assert.equal(address(ann), `#/room/${room}`);
});

test("a link to an old message shows it among its neighbours, and the way back", async (t) => {
  const room = unique("room");
  const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
  const said = Array.from({ length: 400 }, (_, n) => ({ msg: `message ${n + 1}` }));
  await bob.askAll("send message", said);
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  await ann.joinRoom(room);
  await ann.waitForMessage("message 400");
  await ann.room("lobby").click();
  assertOk(await bob.ask("send message", "unread"));
  await ann.room(room, 1).waitFor();

  await visit(ann, server, `#/room/${room}/41`);
  const marked = ann.log.locator('[aria-current="location"]');
  await marked.getByText("message 41", { exact: true }).waitFor();
  await ann.saveScreenshot("message-link");
  const isInView = await marked.evaluate((it) => {
    const { top, bottom } = it.getBoundingClientRect();
    const log = it.closest("#log").getBoundingClientRect();
    return top >= log.top && bottom <= log.bottom;
  });
  assert.ok(isInView, "the message is not in view");
  assert.equal(await ann.count("message 300"), 0, "everything was loaded");
  assert.ok(await ann.count("message 30"), "nothing before it");
  assert.ok(await ann.count("message 50"), "nothing after it");
  await ann.room(room, 1).waitFor(); // the end was not read

  // What is said now belongs to the end, and the log loads on towards it.
  assertOk(await bob.ask("send message", "live"));
  await ann.room(room, 2).waitFor();
  assert.equal(await ann.count("live"), 0, "shown with a gap before it");
  const followed = ann.log.getByText("message 120", { exact: true });
  await waitUntil("the following pages", async () => {
    await ann.log.evaluate((it) => it.scrollTo(0, it.scrollHeight));
    return (await followed.count()) > 0;
  });
  assert.equal(await ann.count("message 99"), 1);

  await ann.page.locator("#latest").click();
  await ann.waitForMessage("live");
  await ann.room(room, 2).waitFor({ state: "detached" });
  assert.equal(address(ann), `#/room/${room}`);
  await ann.send("mine");
  await ann.waitForMessage("mine");
  assertOk(await bob.ask("send message", "his"));
  await ann.waitForMessage("his");
  await ann.log.locator('[data-seq="404"] a.when').click();
  await marked.getByText("his", { exact: true }).waitFor();
  assert.equal(address(ann), `#/room/${room}/404`);

  await ann.page.evaluate((hash) => location.assign(hash), `#/room/${room}/399`);
  await marked.getByText("message 399", { exact: true }).waitFor();
  await ann.page.evaluate((hash) => location.assign(hash), `#/room/${room}/9999`);
  await ann.waitForText("There is no message with this number yet.");
  await ann.waitForMessage("live");
});

test("drafts are kept in their conversations, until the user signs out", async (t) => {
  const bob = await joinAsGuest(t, wsJson, server, "bob");
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  await ann.messageBox.fill("to the lobby");
  await ann.person(bob.name).click();
  await ann.messageBox.fill("to bob");
  await ann.page.reload();
  await ann.connected();
  await heading(ann, bob.name).waitFor();
  assert.equal(await ann.messageBox.inputValue(), "to bob");

  // A tab that is closed, and another one later.
  const later = await ChatPage.open(t, chromium, server, { sharing: ann });
  await ann.page.close();
  await later.connected();
  await heading(later, "lobby").waitFor();
  assert.equal(await later.messageBox.inputValue(), "to the lobby");
  await later.person(bob.name).click();
  assert.equal(await later.messageBox.inputValue(), "to bob");
  await later.messageBox.press("Enter");
  assert.equal((await bob.next("SingleChat")).data, "to bob");
  await later.page.reload();
  await heading(later, bob.name).waitFor();
  assert.equal(await later.messageBox.inputValue(), "");

  await later.page.getByRole("button", { name: "Sign out" }).click();
  await later.nameBox.waitFor();
  const kept = await later.page.evaluate(() => JSON.stringify({ ...localStorage }));
  assert.ok(!kept.includes("to the lobby"), kept);
});

for (const [what, its, isGone] of [
  ["while the name is held", server, false],
  ["after the name was given up", hasty, true],
]) {
  test(`a guest's page comes back by its cookie, ${what}`, async (t) => {
    const bob = await joinAsGuest(t, wsJson, its, "bob");
    const ann = await (await ChatPage.open(t, chromium, its)).signIn("ann");
    await ann.send("here");
    await ann.waitForMessage("here");
    await ann.page.goto("about:blank");
    if (isGone) await bob.next("user left", ({ user }) => user === ann.name);
    await ann.page.goto(its.url);
    await ann.connected();
    await ann.waitForMessage("here");
    assert.equal(await ann.nameBox.isVisible(), false);
    assert.equal(await ann.page.locator("#me").textContent(), ann.name);
    await ann.send("here again");
    await bob.next("new message", ({ msg, username }) => {
      return msg === "here again" && username === ann.name;
    });
  });
}
