// The pages under `examples/`, each with its file of settings, in two windows.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import http from "node:http";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

import { browserForThisFile, ChatPage } from "../support/chat-page.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { waitUntil } from "../support/wait-until.mjs";

const EXAMPLES = new URL("../../examples/", import.meta.url);
/** The address that the pages name. */
const DEFAULT_URL = "http://127.0.0.1:3000";

const chromium = browserForThisFile();
const files = http.createServer();
await new Promise((resolve) => files.listen(0, "127.0.0.1", resolve));
after(() => files.close());
const origin = `http://127.0.0.1:${files.address().port}`;
const [whiteboard, chat, privateMessages] = ["whiteboard", "chat", "private-messages"].map(
  (name) => {
    const config = fileURLToPath(new URL(`${name}.toml`, EXAMPLES));
    return { name, server: serverForThisFile({ config, env: { ROOMCAST_ORIGINS: origin } }) };
  },
);

/** Two windows of a page. */
async function twoWindows(t, { name, server }) {
  files.removeAllListeners("request").on("request", async (request, response) => {
    if (request.url !== `/${name}/`) return response.writeHead(204).end();
    const page = await readFile(new URL(`${name}/index.html`, EXAMPLES), "utf8");
    response.setHeader("Content-Type", "text/html; charset=utf-8");
    response.end(page.replaceAll(DEFAULT_URL, server.url));
  });
  const address = { url: `${origin}/${name}/` };
  const windows = [];
  for (let n = 0; n < 2; n += 1) {
    const { page } = await ChatPage.open(t, chromium, address);
    await page.waitForFunction("socket.connected");
    windows.push(page);
  }
  return windows;
}

test("what one window draws on the whiteboard, the other shows", async (t) => {
  const [one, other] = await twoWindows(t, whiteboard);
  await one.mouse.move(100, 100);
  await one.mouse.down();
  await one.mouse.move(300, 200, { steps: 5 });
  await one.mouse.up();
  const picture = (page) => page.evaluate(() => document.querySelector("canvas").toDataURL());
  const drawn = await picture(one);
  await waitUntil("the same picture", async () => (await picture(other)) === drawn);
});

test("a chat of kept events shows what was said before, and what was missed", async (t) => {
  const [one, other] = await twoWindows(t, chat);
  const said = (page, text) => page.getByText(text).waitFor();
  const say = async (page, text) => {
    await page.getByRole("textbox", { name: "Message" }).fill(text);
    await page.keyboard.press("Enter");
  };
  await one.waitForFunction("seen.token");
  await say(one, "first");
  await said(one, "first");
  await said(other, "first");
  await other.reload();
  await said(other, "first");
  await other.waitForFunction("seen.token");
  await other.evaluate("socket.io.engine.close()");
  await say(one, "second");
  await said(other, "second");
  assert.equal(await other.getByRole("listitem").count(), 2);
});

test("a private message and a private event reach one user", async (t) => {
  const [ann, bob] = await twoWindows(t, privateMessages);
  for (const [page, name] of [
    [ann, "ann"],
    [bob, "bob"],
  ]) {
    await page.getByRole("textbox", { name: "Your name" }).fill(name);
    await page.keyboard.press("Enter");
  }
  await ann.getByRole("button", { name: "bob" }).click();
  await bob.getByText("ann is looking at your conversation").waitFor();
  await bob.getByRole("button", { name: "ann" }).click();
  await ann.getByText("bob is looking at your conversation").waitFor();
  await ann.getByRole("textbox", { name: "Message" }).fill("psst");
  await ann.keyboard.press("Enter");
  await bob.getByText("ann: psst").waitFor();
  await ann.getByText("ann: psst").waitFor();
});
