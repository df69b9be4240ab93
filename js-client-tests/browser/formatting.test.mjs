// How messages are shown: formatting, links, mentions, captions, and what screen readers are told.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { browserForThisFile, ChatPage } from "../support/chat-page.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { imageBody, png } from "../support/images.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile();
const chromium = browserForThisFile();

const FORMATTED = [
  "**bold**, *slanted*, ~~struck~~ and `code *as it is*`, see https://example.org/a_(b).",
  "> quoted",
  "- first\n- second",
  "```\nlet a = 1;\n```",
].join("\n");

const HOSTILE = [
  '<img src=x onerror="alert(1)"> [x](javascript:alert(1))',
  "[bank.example](https://evil.example/) <script>alert(2)</script>",
].join(" ");

async function annAndBob(t) {
  const room = unique("room");
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  await ann.joinRoom(room);
  // What arrives before the page has loaded the room is not told as new.
  await ann.page.getByRole("heading", { name: room }).waitFor();
  await ann.log.and(ann.page.locator("[aria-busy=false]")).waitFor();
  return { ann, bob: await joinAsGuest(t, wsJson, server, "bob", { room }) };
}

test("a message is formatted, its links are safe, and editing shows its source", async (t) => {
  const { ann, bob } = await annAndBob(t);
  await ann.send(FORMATTED);
  assert.equal((await bob.next("new message")).msg, FORMATTED);
  for (const [tag, text] of [
    ["strong", "bold"],
    ["em", "slanted"],
    ["s", "struck"],
    ["p code", "code *as it is*"],
    ["blockquote", "quoted"],
    ["ul > li >> nth=1", "second"],
    ["pre > code", "let a = 1;"],
  ]) {
    assert.equal(await ann.log.locator(tag).textContent(), text, tag);
  }
  const link = ann.log.getByRole("link", { name: "https://example.org/a_(b)", exact: true });
  assert.equal(await link.getAttribute("href"), "https://example.org/a_(b)");
  assert.equal(await link.getAttribute("rel"), "noopener noreferrer nofollow");
  assert.equal(await link.getAttribute("target"), "_blank");
  await ann.saveScreenshot("formatted");
  await ann.messageBox.press("ArrowUp");
  const editor = ann.page.getByRole("textbox", { name: "Edit message", exact: true });
  assert.equal(await editor.inputValue(), FORMATTED);
  await editor.press("Escape");

  assertOk(await bob.ask("send message", HOSTILE));
  await ann.waitForMessage(HOSTILE);
  const links = await ann.log.locator(".bubble a").evaluateAll((all) => all.map((it) => it.href));
  assert.deepEqual(links, ["https://example.org/a_(b)", "https://evil.example/"]);
  assert.equal(await ann.log.locator("img, script").count(), 0);
});

test("mentions of people who are here are emphasised, one's own most", async (t) => {
  const { ann, bob } = await annAndBob(t);
  const text = `@${ann.name.toUpperCase()} and @${bob.name}, but not @nobody`;
  assertOk(await bob.ask("send message", text));
  await ann.waitForMessage(text);
  const mentions = await ann.log
    .locator(".mention")
    .evaluateAll((all) => all.map((it) => [it.textContent, it.matches(".own-mention")]));
  assert.deepEqual(mentions, [
    [`@${ann.name.toUpperCase()}`, true],
    [`@${bob.name}`, false],
  ]);
});

test("messages are articles, and new ones of others are announced once", async (t) => {
  const { ann, bob } = await annAndBob(t);
  assertOk(await bob.ask("send message", "one"));
  await ann.waitForMessage("one");
  await ann.send("mine");
  const image = imageBody(png(40, 30), { name: "a.png", alt: "A grey box", text: "our *box*" });
  assertOk(await bob.ask("send message", { msg: image }));
  await ann.log.getByRole("img", { name: "A grey box", exact: true }).waitFor();
  await ann.waitForMessage("our box");
  const articles = ann.log.getByRole("article");
  assert.equal(await articles.count(), 3);
  assert.match(await articles.first().textContent(), new RegExp(`${bob.name}.*one`));
  const announced = ann.page.locator("#announced p");
  assert.deepEqual(await announced.allTextContents(), [
    `${bob.name}: one`,
    `${bob.name}: Image. A grey box. our *box*`,
  ]);
  assert.equal(await ann.log.getAttribute("aria-live"), "off");
  assert.equal(await ann.page.locator("#announced").getAttribute("aria-live"), "polite");

  // What is loaded later is not new.
  await ann.room("lobby").click();
  await ann.page.reload();
  await ann.connected();
  await ann.page.getByRole("heading", { name: "lobby" }).waitFor();
  assert.equal(await announced.count(), 0);
});
