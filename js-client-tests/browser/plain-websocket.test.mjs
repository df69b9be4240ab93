// The page under `examples/clients/browser`, which has nothing but the browser's `WebSocket`.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import http from "node:http";
import { after, test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { browserForThisFile, ChatPage } from "../support/chat-page.mjs";
import { connectWithToken, joinAsUser } from "../support/fixtures.mjs";
import { freePort } from "../support/free-port.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { epochSeconds, SECRET, signToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";

const PAGE = new URL("../../examples/clients/browser/index.html", import.meta.url);
/** The address that the page names. */
const DEFAULT_URL = "http://127.0.0.1:3000";
const BYTES = Buffer.from([0, 255, 16]);
const OFFICIAL = socketIo("4.8", "websocket");

const chromium = browserForThisFile();
const files = http.createServer();
await new Promise((resolve) => files.listen(0, "127.0.0.1", resolve));
after(() => files.close());
const origin = `http://127.0.0.1:${files.address().port}`;
const settings = { "token.secret": SECRET, origins: [origin] };
const server = serverForThisFile({ settings, port: await freePort() });
files.on("request", async (request, response) => {
  if (request.url === "/favicon.ico") return response.writeHead(204).end();
  const page = await readFile(PAGE, "utf8");
  response.setHeader("Content-Type", "text/html; charset=utf-8");
  response.end(page.replace(DEFAULT_URL, server.url));
});

/** A window of the page with a user, and the user's name. */
async function open(t, hash = "") {
  const { page } = await ChatPage.open(t, chromium, { url: `${origin}/${hash}` });
  await page.waitForFunction("handshake.epoch !== undefined");
  return page;
}

/** The lines that a window shows, once there are as many as `expected`. */
async function assertShows(page, expected) {
  await page
    .getByRole("listitem")
    .nth(expected.length - 1)
    .waitFor();
  assert.deepEqual(await page.getByRole("listitem").allTextContents(), expected);
}

test("a page talks over WebSocket, and shows what it missed while the server restarted", async (t) => {
  const ann = await joinAsUser(t, OFFICIAL, server, "ann");
  const user = unique("user");
  const token = await signToken(server, { sub: user, exp: epochSeconds(600) });
  const windows = [await open(t), await open(t, `#token=${token}`)];
  const names = [await windows[0].evaluate("name"), user];
  const shown = [];
  for (const [at, page] of windows.entries()) {
    const name = names[at];
    await page.getByRole("textbox", { name: "Message" }).fill("hello");
    await page.getByRole("button", { name: "Send" }).click();
    const { msg: text } = await ann.next("new message", ({ username }) => username === name);
    await page.getByLabel("File").setInputFiles({ name: "a", mimeType: "a/b", buffer: BYTES });
    await page.getByRole("button", { name: "Send" }).click();
    const { msg: bytes } = await ann.next("new message", ({ username }) => username === name);
    assert.deepEqual([text, bytes], ["hello", BYTES]);
    assertOk(await ann.ask("send message", { msg: BYTES }));
    shown.push(`${name}: hello`, `${name}: a file of 3 bytes`, `${ann.name}: a file of 3 bytes`);
  }
  for (const page of windows) await assertShows(page, shown);
  // From now on the pages do not connect again until the test says so.
  for (const page of windows) {
    await page.clock.install();
    await page.clock.pauseAt(Date.now() + 60_000);
  }
  await server.exitOn("SIGTERM");
  for (const page of windows) await page.waitForFunction("socket.readyState === WebSocket.CLOSED");
  await server.start();
  const back = await connectWithToken(t, OFFICIAL, server, ann.token);
  for (const msg of ["one", "two", "three"]) {
    assertOk(await back.ask("send message", msg));
    shown.push(`${ann.name}: ${msg}`);
  }
  for (const page of windows) await page.clock.runFor(2_000);
  for (const page of windows) await assertShows(page, shown);
  assertOk(await back.ask("send message", "live"));
  for (const page of windows) await assertShows(page, [...shown, `${ann.name}: live`]);
});
