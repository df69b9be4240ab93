// Chromium offers `permessage-deflate` always. docs/protocol.md "Compression".

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { browserForThisFile, ChatPage } from "../support/chat-page.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { withTimeout } from "../support/timeouts.mjs";
import { unique } from "../support/unique.mjs";

const server = serverForThisFile({ settings: { websocket_compression: "on" } });
const chromium = browserForThisFile();

test("a page upgrades to a WebSocket with compressed messages", async (t) => {
  const ann = await ChatPage.open(t, chromium, server);
  const protocol = await ann.page.context().newCDPSession(ann.page);
  await protocol.send("Network.enable");
  const answered = new Promise((resolve) => {
    protocol.once("Network.webSocketHandshakeResponseReceived", resolve);
  });
  const received = [];
  protocol.on("Network.webSocketFrameReceived", ({ response }) => {
    received.push(response.payloadData);
  });
  const upgraded = new Promise((resolve) => {
    protocol.on("Network.webSocketFrameSent", ({ response }) => {
      if (response.payloadData === "5") resolve();
    });
  });
  await ann.signIn("ann");
  const { response } = await withTimeout("the answer", answered);
  const headers = Object.entries(response.headers);
  const [, extension] = headers.find(([it]) => it.toLowerCase() === "sec-websocket-extensions");
  assert.match(extension, /^permessage-deflate;/);
  await withTimeout("the upgrade", upgraded);
  const bob = await joinAsGuest(t, socketIo("4.8", "websocket"), server, "bob");
  for (const length of [10, 1000]) {
    const text = unique("text ".repeat(length));
    await ann.send(text);
    const { msg } = await bob.next("new message", ({ username }) => username === ann.name);
    assert.equal(msg, text);
    assertOk(await bob.ask("send message", `${text} bob`));
    await ann.waitForMessage(`${text} bob`);
    assert.ok(received.some((it) => it.includes(`${text} bob`)));
  }
});
