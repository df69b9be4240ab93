// The server or the network fails and returns: the page shows it, and recovers.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { browserForThisFile, ChatPage } from "../support/chat-page.mjs";
import { connectWithToken, joinAsGuest } from "../support/fixtures.mjs";
import { serverForThisTest } from "../support/server.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

/** What a browser logs when the server is down. */
const expected = [/socket\.io/, /ERR_CONNECTION|ERR_INTERNET_DISCONNECTED|WebSocket/];

const chromium = browserForThisFile();

for (const signal of ["SIGTERM", "SIGKILL"]) {
  test(`after ${signal} and a restart no message is missing`, async (t) => {
    const server = await serverForThisTest(t);
    const room = unique("room");
    const ann = await (await ChatPage.open(t, chromium, server, { expected })).signIn("ann");
    await ann.joinRoom(room);
    const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
    assertOk(await bob.ask("send message", "before"));
    await ann.waitForMessage("before");

    await server.exitOn(signal);
    await ann.reconnecting();
    await ann.saveScreenshot(`reconnecting-${signal}`);
    await ann.send("written while away");
    await server.start();

    const back = await connectWithToken(t, wsJson, server, bob.token, {
      room,
      since: { [room]: 1 },
    });
    assertOk(await back.ask("send message", "after"));
    await ann.connected();
    for (const text of ["after", "written while away"]) {
      await ann.waitForMessage(text);
      assert.equal(await ann.count(text), 1, `${text} is shown twice`);
    }
    // Pending messages are shown, too.
    await ann.page.getByText("Sending…").waitFor({ state: "detached" });
    const { messages } = assertOk(await back.ask("history"));
    const said = messages.map(({ msg }) => msg).sort();
    assert.deepEqual(said, ["after", "before", "written while away"]);
  });
}

test("without a network the page shows it, and afterwards no message is missing", async (t) => {
  const server = await serverForThisTest(t);
  const room = unique("room");
  const ann = await (await ChatPage.open(t, chromium, server, { expected })).signIn("ann");
  await ann.joinRoom(room);
  const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
  await ann.page.context().setOffline(true);
  await ann.status.filter({ hasText: /Offline|Reconnecting/ }).waitFor({ state: "attached" });
  assertOk(await bob.ask("send message", "meanwhile"));
  await ann.page.context().setOffline(false);
  await ann.connected();
  await ann.waitForMessage("meanwhile");
  assert.equal(await ann.count("meanwhile"), 1);
});
