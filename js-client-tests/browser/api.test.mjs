// The page of the HTTP API.

import assert from "node:assert/strict";
import { test } from "node:test";

import { browserForThisFile, ChatPage } from "../support/chat-page.mjs";
import { serverForThisFile } from "../support/server.mjs";

const server = serverForThisFile();
const chromium = browserForThisFile();

test("the page shows every route of the document, and its types", async (t) => {
  const ann = await ChatPage.open(t, chromium, server);
  const { page } = ann;
  await page.goto(`${server.url}/api/`);
  await page.getByRole("heading", { name: "Roomcast: the HTTP API" }).waitFor();
  const { paths, components } = await (await fetch(`${server.url}/api/openapi.json`)).json();
  const expected = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()}${path}`),
  );
  const shown = await page.locator("#routes .route").allTextContents();
  assert.deepEqual(shown.sort(), expected.sort());
  const types = await page.locator("#types > details").count();
  assert.equal(types, Object.keys(components.schemas).length);

  const emit = page.locator("details", { hasText: "/api/v1/emit" }).first();
  await emit.locator("summary").click();
  await emit.getByText("The key needs the scope `publish`.").waitFor();
  await emit.getByRole("link", { name: "EventList" }).click();
  const list = page.locator("#type-EventList");
  await list.getByText(/items: Array</).waitFor();
  await ann.saveScreenshot("api-page");
});
