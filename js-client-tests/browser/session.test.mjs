// The session is in an HttpOnly cookie, shared by all tabs, until the user signs out.

import assert from "node:assert/strict";
import { test } from "node:test";

import { browserForThisFile, ChatPage } from "../support/chat-page.mjs";
import { connectWithToken, joinAsGuest } from "../support/fixtures.mjs";
import { serverForThisFile, serverForThisTest } from "../support/server.mjs";
import { epochSeconds, mintToken, signToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({ settings: { "limits.presence_grace_ms": 200 } });
const fleeting = serverForThisFile({ settings: { "token.guest_ttl_secs": 5 } });
const newest = serverForThisFile({ settings: { guests: "off", devices: "newest" } });
const chromium = browserForThisFile();

/** What browsers log when a sign-in is refused. */
const refused = (status) => [new RegExp(`/api/session .*\\b${status}\\b`)];

test("scripts cannot read the session", async (t) => {
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  const held = await ann.page.evaluate(() =>
    JSON.stringify([document.cookie, { ...localStorage }, { ...sessionStorage }]),
  );
  const [cookie] = await ann.page.context().cookies();
  assert.deepEqual(
    [cookie.name, cookie.httpOnly, cookie.sameSite, cookie.secure],
    ["roomcast_session", true, "Lax", false],
  );
  for (const part of cookie.value.split(".")) assert.ok(!held.includes(part), held);
  assert.equal(JSON.parse(held)[0], "");
});

test("a new tab is signed in at once", async (t) => {
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  const tab = await ChatPage.open(t, chromium, server, { sharing: ann });
  await tab.connected();
  const text = unique("text");
  await tab.send(text);
  await ann.waitForMessage(text);
  await ann.page.reload();
  await ann.connected();
});

test("signing out in one tab signs out the others", async (t) => {
  const bob = await joinAsGuest(t, wsJson, server, "bob");
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  const tab = await ChatPage.open(t, chromium, server, { sharing: ann });
  await tab.connected();
  await tab.page.getByRole("button", { name: "Sign out" }).click();
  for (const it of [ann, tab]) {
    await it.nameBox.waitFor();
    await it.page.getByText("You have signed out.").waitFor();
  }
  await ann.saveScreenshot("signed-out");
  await bob.next("user left", ({ user }) => user === ann.name);
  assert.deepEqual(await ann.page.context().cookies(), []);
  await ann.page.reload();
  await ann.nameBox.waitFor();
  assert.equal(await ann.messageBox.isVisible(), false);
});

test("signing in in one tab signs in the others", async (t) => {
  const ann = await ChatPage.open(t, chromium, server);
  const tab = await ChatPage.open(t, chromium, server, { sharing: ann });
  await tab.nameBox.waitFor();
  await ann.signIn("ann");
  await tab.connected();
  const text = unique("text");
  await ann.send(text);
  await tab.waitForMessage(text);
});

test("a deleted session shows the form, after a reload and after a reconnect", async (t) => {
  const own = await serverForThisTest(t);
  const expected = [/socket\.io|ERR_CONNECTION|WebSocket/];
  const ann = await (await ChatPage.open(t, chromium, own, { expected })).signIn("ann");
  await ann.page.context().clearCookies();
  await ann.page.reload();
  await ann.page.getByText("no longer valid").waitFor();
  await ann.signIn("anna");
  await ann.page.context().clearCookies();
  await own.restart();
  await ann.page.getByText("no longer valid").waitFor();
  await ann.signIn("annabel");
});

test("an expired session is reported, and the user signs in again", async (t) => {
  const expected = [/\/(api\/session|socket\.io)\b/];
  const ann = await (await ChatPage.open(t, chromium, fleeting, { expected })).signIn("ann");
  await ann.page.getByText("Your sign-in has run out. Please sign in again.").waitFor();
  await ann.nameBox.waitFor();
  await ann.saveScreenshot("run-out");
  await ann.signIn("ann");
});

test("a guest whose name a token takes is asked for another one", async (t) => {
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  await connectWithToken(t, wsJson, server, await mintToken(server, ann.name));
  await ann.page.getByText("Your name now belongs to somebody else.").waitFor();
  await ann.signIn("anna");
});

test("without guests the form asks for a token", async (t) => {
  const ann = await ChatPage.open(t, chromium, newest, { expected: refused(401) });
  await ann.nameBox.fill("ann");
  await ann.nameBox.press("Enter");
  await ann.page.getByText("Guests are not allowed here.").waitFor();
  await ann.saveScreenshot("token");
  await ann.page.keyboard.type("nonsense"); // the field has the focus already
  await ann.page.keyboard.press("Enter");
  await ann.page.getByText("This token is not valid here.").waitFor();
  await ann.tokenBox.fill(await signToken(newest, { sub: unique("ann"), exp: epochSeconds(-1) }));
  await ann.tokenBox.press("Enter");
  await ann.page.getByText("The time of this token is over.").waitFor();
  const claims = { sub: unique("ann"), name: "Ann of Cleves", exp: epochSeconds(600) };
  await ann.tokenBox.fill(await signToken(newest, claims));
  await ann.tokenBox.press("Enter");
  await ann.connected();
  await ann.waitForText(claims.name);
  assert.equal(await ann.tokenBox.inputValue(), "", "the token stays in the field");
});

test("a user who may not join the lobby sees why, and uses another room", async (t) => {
  const claims = { sub: unique("ann"), rooms: ["team-*"], exp: epochSeconds(600) };
  const token = await signToken(newest, claims);
  const ann = await ChatPage.open(t, chromium, newest, { expected: refused(401) });
  await ann.signInWithToken(token);
  await ann.page.getByText("This room is not open to you.", { exact: true }).waitFor();
  await ann.joinRoom("team-a");
  const text = unique("text");
  await ann.send(text);
  await ann.waitForMessage(text);
});

test("the newest device signs the other one out, which may return", async (t) => {
  const token = await mintToken(newest, unique("ann"));
  const expected = refused(401);
  const desk = await (await ChatPage.open(t, chromium, newest, { expected })).signInWithToken(
    token,
  );
  const tab = await ChatPage.open(t, chromium, newest, { sharing: desk });
  await tab.connected(); // of the same device
  await desk.send("two tabs are one device");
  await tab.waitForMessage("two tabs are one device");
  const phone = await (await ChatPage.open(t, chromium, newest, { expected })).signInWithToken(
    token,
  );
  for (const it of [desk, tab]) await useHere(it).waitFor();
  await desk.saveScreenshot("replaced");
  await phone.send("from the other device");
  await useHere(desk).click();
  await desk.connected();
  await useHere(phone).waitFor();
  await desk.waitForMessage("from the other device");
  await desk.send("back again");
  await desk.waitForMessage("back again");
});

function useHere({ page }) {
  return page.getByRole("button", { name: "Use here" });
}
