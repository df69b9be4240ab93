// Without the server the page shows the last messages, until the user signs out. A new version is
// shown at once.

import assert from "node:assert/strict";
import http from "node:http";
import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { browserForThisFile, ChatPage } from "../support/chat-page.mjs";
import { connectWithToken } from "../support/fixtures.mjs";
import { imageBody, png } from "../support/images.mjs";
import { serverForThisFile, serverForThisTest } from "../support/server.mjs";
import { withTimeout } from "../support/timeouts.mjs";
import { epochSeconds, signToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { waitUntil } from "../support/wait-until.mjs";
import { wsJson } from "../support/ws.mjs";

const chromium = browserForThisFile();
const server = serverForThisFile();

/** What a browser logs when the server is down. */
const expected = [/api\/session|socket\.io|service-worker/, /ERR_CONNECTION|WebSocket/];

const KEPT = "These are the last messages.";

/** A signed-in user with a message in a room, which the browser keeps as it keeps the page. */
async function annWithMessage(t, at, text) {
  const ann = await (await ChatPage.open(t, chromium, at, { expected })).signIn("ann");
  const room = unique("room");
  await ann.joinRoom(room);
  await ann.send(text);
  await ann.waitForMessage(text);
  await isKept(ann, "roomcast-messages", text);
  await ann.page.evaluate(async () => (await navigator.serviceWorker.ready).active.state);
  return { ann, room };
}

/** Waits until a cache of the page contains `text`. */
function isKept({ page }, prefix, text) {
  return waitUntil(`${text} in ${prefix}`, () =>
    page.evaluate(
      async ([cacheOf, wanted]) => {
        for (const name of await caches.keys()) {
          if (!name.startsWith(cacheOf)) continue;
          const cache = await caches.open(name);
          for (const it of await cache.keys()) {
            if ((await (await cache.match(it)).text()).includes(wanted)) return true;
          }
        }
        return false;
      },
      [prefix, text],
    ),
  );
}

/** Waits until the browser has no cache of this name. */
function isGone({ page }, name) {
  return waitUntil(`the end of ${name}`, () =>
    page.evaluate(async (it) => !(await caches.has(it)), name),
  );
}

test("without the server the last messages are shown, and with it everything", async (t) => {
  const own = await serverForThisTest(t);
  const text = unique("text");
  const { ann, room } = await annWithMessage(t, own, text);
  await own.kill9();
  await ann.page.reload();
  await ann.waitForMessage(text);
  await ann.waitForText(`The server cannot be reached. ${KEPT}`);
  const tab = await ChatPage.open(t, chromium, own, { expected, sharing: ann });
  await tab.waitForMessage(text);
  await tab.page.getByRole("heading", { level: 1, name: room }).waitFor();
  await tab.waitForText("More messages are shown when you are connected again.");
  await tab.page.context().setOffline(true);
  await tab.waitForText(`You are offline. ${KEPT}`);
  await tab.saveScreenshot("offline");
  await tab.page.context().setOffline(false);
  await tab.send("written without the server");
  await own.start();
  for (const it of [ann, tab]) {
    await it.connected();
    await it.waitForMessage("written without the server");
    assert.equal(await it.count(text), 1, "shown twice");
    await it.page.getByText(KEPT).waitFor({ state: "hidden" });
  }
});

test("without the server display names and images are shown", async (t) => {
  const own = await serverForThisTest(t);
  const { ann, room } = await annWithMessage(t, own, unique("text"));
  const claims = { sub: unique("user"), name: "Ada Lovelace", exp: epochSeconds(600) };
  const ada = await connectWithToken(t, wsJson, own, await signToken(own, claims));
  assertOk(await ada.ask("join", { room }));
  const image = imageBody(png(3, 2), { name: "dot.png", text: unique("caption") });
  const deleted = imageBody(png(2, 2), { text: unique("deleted") });
  const { seq } = assertOk(await ada.ask("send message", { room, msg: deleted }));
  assertOk(await ada.ask("send message", { room, msg: image }));
  await ann.waitForMessage(image.text);
  await isKept(ann, "roomcast-messages", image.text);
  await waitUntil("two images", async () => (await ann.page.evaluate(imagesKept)) === 2);
  assertOk(await ada.ask("delete message", { room, seq }));
  await waitUntil("one image", async () => (await ann.page.evaluate(imagesKept)) === 1);
  await own.kill9();
  await ann.page.reload();
  await ann.waitForMessage(image.text);
  await ann.waitForMessage(claims.name);
  const shown = ann.log.getByRole("img", { name: "dot.png", exact: true });
  await shown.waitFor();
  const size = await shown.evaluate((it) =>
    it.decode().then(() => [it.naturalWidth, it.naturalHeight]),
  );
  assert.deepEqual(size, [3, 2]);
  await own.start();
  await ann.connected();
  await ann.button("Sign out").click();
  await isGone(ann, "roomcast-images");
});

const imagesKept = async () => (await (await caches.open("roomcast-images")).keys()).length;

test("without the server users see their own display name, and that of a direct message", async (t) => {
  const own = await serverForThisTest(t);
  const [ada, bob] = ["Ada Lovelace", "Bob Babbage"].map((name) => ({ sub: unique("user"), name }));
  const signed = (claims) => signToken(own, { ...claims, exp: epochSeconds(600) });
  await connectWithToken(t, wsJson, own, await signed(bob));
  const page = await ChatPage.open(t, chromium, own, { expected });
  await page.page.evaluate(signIn, await signed(ada));
  await page.page.reload();
  await page.connected();
  await page.person(bob.name).click();
  await page.send("hello");
  await isKept(page, "roomcast-messages", "hello");
  await isKept(page, "roomcast-page", "<title>");
  await own.kill9();
  await page.page.reload();
  await page.waitForMessage("hello");
  await page.page.getByRole("heading", { level: 1, name: bob.name }).waitFor();
  assert.equal(await page.page.locator("#me").textContent(), ada.name);
});

const signIn = (token) =>
  fetch("/api/session", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token }),
  });

test("nothing of a user is kept after the sign-out", async (t) => {
  const own = await serverForThisTest(t);
  const text = unique("text");
  const { ann } = await annWithMessage(t, own, text);
  await ann.button("Sign out").click();
  await ann.page.getByText("You have signed out.").waitFor();
  await isGone(ann, "roomcast-messages");
  await own.kill9();
  await ann.page.reload();
  await ann.nameBox.waitFor();
  assert.equal(await ann.page.getByText(text).count(), 0);
});

test("a new version is shown at once, and replaces the old one", async (t) => {
  const front = await frontOf(t, server);
  const { ann } = await annWithMessage(t, front, unique("text"));
  await isKept(ann, `roomcast-page-${front.version}`, "<title>");
  const old = front.version;
  front.version = "0123456789abcdef";
  await ann.page.reload();
  const app = await ann.page.locator("#app").getAttribute("src");
  assert.equal(app, front.place("app.js"), "an old page was shown");
  await ann.connected();
  await isKept(ann, `roomcast-page-${front.version}`, "<title>");
  await isGone(ann, `roomcast-page-${old}`);
});

test("a new version is kept while the browser still runs the old worker", async (t) => {
  const front = await frontOf(t, server);
  const text = unique("text");
  const { ann } = await annWithMessage(t, front, text);
  const options = { expected: [...expected, /held/], sharing: ann };
  const tab = await ChatPage.open(t, chromium, front, options);
  await tab.connected();
  await isKept(ann, "roomcast-messages", text); // the new tab has left it
  // A worker runs on while one of its requests is under way.
  await tab.page.evaluate((url) => void fetch(url).catch(() => {}), front.place("held"));
  await withTimeout("the request that is not answered", front.held);
  const old = front.version;
  front.version = "0123456789abcdef";
  await ann.page.reload();
  await ann.connected();
  await isGone(ann, `roomcast-page-${old}`);
  await waitUntil("the new worker waits", () => ann.page.evaluate(isWorkerWaiting));
  front.isDown = true;
  await ann.page.reload();
  await ann.waitForMessage(text);
  assert.equal(await ann.page.locator("#app").getAttribute("src"), front.place("app.js"));
});

const isWorkerWaiting = async () =>
  (await navigator.serviceWorker.getRegistration()).waiting !== null;

/**
 * A proxy in front of `server` that gives the page `version` as its version. It does not answer a
 * request for `place("held")`, which `held` waits for, and none at all when it `isDown`.
 */
async function frontOf(t, { url, port }) {
  const text = await (await fetch(url)).text();
  const [, original] = /\/assets\/(\w+)\/app\.js/.exec(text);
  const front = { version: original, place: (file) => `/assets/${front.version}/${file}` };
  let holds;
  front.held = new Promise((resolve) => {
    holds = resolve;
  });
  const proxy = http.createServer((request, response) => {
    if (front.isDown) return response.destroy();
    if (request.url.endsWith("/held")) return holds();
    if (request.url === "/") {
      response.setHeader("content-type", "text/html; charset=utf-8");
      return response.end(text.replaceAll(original, front.version));
    }
    const { method, headers } = request;
    const path = request.url.replace(`/${front.version}/`, `/${original}/`);
    const passed = http.request({ port, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    passed.on("error", () => response.destroy());
    request.pipe(passed);
  });
  await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  front.url = `http://127.0.0.1:${proxy.address().port}`;
  return front;
}
