// The page of R13: it serves the bundle of socket.io-client 2.3.0 itself, from another origin.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import http from "node:http";
import { after, test } from "node:test";

import { browserForThisFile, ChatPage } from "../support/chat-page.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { unique } from "../support/unique.mjs";

const BUNDLE = new URL(
  "../node_modules/socket.io-client-2-3/dist/socket.io.slim.js",
  import.meta.url,
);

const chromium = browserForThisFile();
const files = http.createServer();
await new Promise((resolve) => files.listen(0, "127.0.0.1", resolve));
after(() => files.close());
const origin = `http://127.0.0.1:${files.address().port}`;
const server = serverForThisFile({ settings: { origins: [origin] } });

/** The page as such pages are written. */
const page = () => `<!doctype html>
<title>chat</title>
<form id="login"><input id="name" aria-label="Name"><button>Log in</button><p id="wrong"></p></form>
<form id="chat" hidden><ul id="users"></ul><ul id="log"></ul>
<input id="text" aria-label="Text"><button>Send</button></form>
<script src="/socket.io.js"></script>
<script>
  const socket = io("${server.url}");
  const $ = (id) => document.getElementById(id);
  $("login").onsubmit = (event) => {
    event.preventDefault();
    socket.emit("new user", $("name").value, (isIn) => {
      $("wrong").textContent = isIn ? "" : "login error";
      $("chat").hidden = !isIn;
    });
  };
  $("chat").onsubmit = (event) => {
    event.preventDefault();
    socket.emit("send message", $("text").value);
  };
  const item = (text) => Object.assign(document.createElement("li"), { textContent: text });
  socket.on("get users", (users) => $("users").replaceChildren(...users.map(item)));
  socket.on("new message", (data) => $("log").append(item(data.username + ": " + data.msg)));
</script>`;

files.on("request", async (request, response) => {
  if (request.url === "/favicon.ico") return response.writeHead(204).end();
  const isScript = request.url === "/socket.io.js";
  response.setHeader("Content-Type", isScript ? "text/javascript" : "text/html; charset=utf-8");
  response.end(isScript ? await readFile(BUNDLE) : page());
});

/** A window where `name` has tried to log in. */
async function logIn(t, name) {
  const { page: shown } = await ChatPage.open(t, chromium, { url: origin });
  await shown.waitForFunction("socket.connected");
  await shown.getByLabel("Name").fill(name);
  await shown.getByRole("button", { name: "Log in" }).click();
  return shown;
}

test("R13: the chat of the old page shows names and messages, or a login error", async (t) => {
  const [ann, bob] = [unique("ann"), unique("bob")];
  const [one, two] = [await logIn(t, ann), await logIn(t, bob)];
  await one.locator("#users", { hasText: bob }).waitFor();
  await two.getByLabel("Text").fill("hello");
  await two.getByRole("button", { name: "Send" }).click();
  for (const it of [one, two]) await it.getByText(`${bob}: hello`).waitFor();
  const three = await logIn(t, ann);
  await three.getByText("login error").waitFor();
  assert.equal(await three.getByLabel("Text").isVisible(), false);
  await two.close();
  const listed = `!document.getElementById("users").textContent.includes("${bob}")`;
  await one.waitForFunction(listed);
});
