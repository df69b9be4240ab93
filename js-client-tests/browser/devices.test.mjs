// Presence on the page: online, number of devices, last seen.

import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { browserForThisFile, ChatPage } from "../support/chat-page.mjs";
import { connectWithToken } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { mintToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({ settings: { "limits.presence_grace_ms": 200 } });
const chromium = browserForThisFile();

test("the list of people and the conversation show presence", async (t) => {
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  const token = await mintToken(server, unique("bob"));
  const desk = await connectWithToken(t, wsJson, server, token, { device: unique("desk") });
  const bob = desk.name;
  const named = (name) => ann.people.getByRole("button", { name, exact: true });
  await named(`${bob}, online`).waitFor();
  const phone = await connectWithToken(t, wsJson, server, token, { device: unique("phone") });
  await ann.person(bob).click();
  await ann.waitForText("Online on 2 devices");
  await named(`${bob}, online on 2 devices`).waitFor();
  await ann.saveScreenshot("devices");
  assertOk(await desk.ask("SingleChat", { to: ann.name, data: "hello" }));
  await ann.waitForMessage("hello");
  for (const it of [desk, phone]) it.close();
  await ann.page.getByText(/^Offline, last seen Today/).waitFor();
  await named(/offline, last seen/).waitFor();
});

test("a message to an offline user says that it waits, and is there later", async (t) => {
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  const token = await mintToken(server, unique("bob"));
  const bob = await connectWithToken(t, wsJson, server, token);
  await ann.person(bob.name).click();
  bob.close();
  await ann.page.getByText(/^Offline/).waitFor();
  const text = unique("text");
  await ann.send(text);
  await ann.waitForText(`${bob.name} is away and will see it later`);
  const again = await ChatPage.open(t, chromium, server);
  await again.page.evaluate(
    (it) =>
      fetch("/api/session", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ token: it }),
      }),
    token,
  );
  await again.page.reload();
  await again.person(ann.name, 1).click();
  await again.waitForMessage(text);
});
