// The page of the official Admin UI, as the server serves it at /admin/.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { ADMIN_UI_SETTINGS, CREDENTIALS, LOGIN_FAILED } from "../support/admin-ui.mjs";
import { browserForThisFile } from "../support/chat-page.mjs";
import { joinAsUser } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { LONG_TIMEOUT_MS, TIMEOUT_MS } from "../support/timeouts.mjs";
import { SECRET } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { waitUntil } from "../support/wait-until.mjs";
import { wsJson } from "../support/ws.mjs";

const ARTEFACTS = fileURLToPath(new URL("../../artefacts/", import.meta.url));

const settings = { ...ADMIN_UI_SETTINGS, "token.secret": SECRET };
const server = serverForThisFile({ settings, expectedLog: [LOGIN_FAILED] });
const chromium = browserForThisFile();

/** An open page, with what its browser reports as errors. Nothing is loaded from other hosts. */
async function openPage(t) {
  const context = await chromium.browser.newContext({ viewport: { width: 1400, height: 900 } });
  context.setDefaultTimeout(TIMEOUT_MS);
  const [errors, foreign] = [[], []];
  await context.route(
    (url) => url.origin !== new URL(server.url).origin,
    (route) => {
      foreign.push(new URL(route.request().url()).pathname);
      return route.fulfill({ contentType: "text/css", body: "" });
    },
  );
  const page = await context.newPage();
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (line) => {
    if (line.type() === "error") errors.push(line.text());
  });
  t.after(async () => {
    await context.close();
    assert.deepEqual(errors, [], "the browser reported errors");
    assert.ok(
      foreign.every((it) => !it.endsWith(".js")),
      `scripts of other hosts: ${foreign}`,
    );
  });
  await page.goto(`${server.url}/admin/`);
  return page;
}

async function logIn(page, { username, password } = CREDENTIALS) {
  await page.getByLabel("Server URL").fill(server.url);
  await page.getByLabel("Username").fill(username);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Connect" }).click();
}

const isConnected = (page) => page.getByText("connected", { exact: true }).first().waitFor();
const show = (page, view) => page.getByRole("link", { name: view, exact: true }).click();

async function saveScreenshot(page, name) {
  await mkdir(ARTEFACTS, { recursive: true });
  await page.screenshot({ path: `${ARTEFACTS}admin-ui-${name}.png` });
}

/** The id of a client's socket on the page. */
const addressOf = ({ welcome }) => `${welcome.node}.${welcome.connection}`;

/** A button that has an icon alone, by the tooltip that it shows. */
async function clickIcon(page, row, tooltip) {
  const buttons = row.getByRole("button");
  for (let at = 0; at < (await buttons.count()); at += 1) {
    await buttons.nth(at).hover();
    const shown = page.locator(".v-tooltip__content.menuable__content__active", {
      hasText: tooltip,
    });
    if (
      await shown.waitFor({ timeout: 3000 }).then(
        () => true,
        () => false,
      )
    ) {
      return buttons.nth(at).click();
    }
  }
  throw new Error(`no button with the tooltip ${tooltip}`);
}

test("a wrong password is named, and a reload keeps the session", async (t) => {
  const page = await openPage(t);
  await logIn(page, { ...CREDENTIALS, password: "wrong" });
  await page.getByText(/Invalid credentials/i).waitFor();
  await logIn(page);
  await isConnected(page);
  await page.getByText("Namespaces").first().waitFor();
  await saveScreenshot(page, "dashboard");
  await page.reload();
  await isConnected(page);
  assert.equal(await page.getByLabel("Password").isVisible(), false);
});

/** What the bars of the charts look like: of what came or was received, and of what ended or was sent. */
const BARS = { green: [76, 175, 80], red: [244, 67, 54] };

/** The height of the legend above a chart. */
const LEGEND_PX = 30;

/**
 * Waits until the chart with this title has bars of both colours. The page moves the end of its axis
 * every ten seconds.
 */
function untilFilled(page, title) {
  const chart = page.locator(".v-card", { hasText: title }).last().locator("canvas");
  const hasBars = (canvas, { bars, legendPx }) => {
    const { width, height } = canvas;
    // Below the legend, which has a box of each colour.
    const { data } = canvas.getContext("2d").getImageData(0, legendPx, width, height - legendPx);
    const hasColour = ([red, green, blue]) => {
      for (let at = 0; at < data.length; at += 4) {
        if (data[at] === red && data[at + 1] === green && data[at + 2] === blue) return true;
      }
      return false;
    };
    return Object.values(bars).every(hasColour);
  };
  const isFilled = () => chart.evaluate(hasBars, { bars: BARS, legendPx: LEGEND_PX });
  return waitUntil(`bars in ${title}`, isFilled, LONG_TIMEOUT_MS);
}

test("the charts of the dashboard are filled", async (t) => {
  const page = await openPage(t);
  await logIn(page);
  await isConnected(page);
  for (const clientType of [wsJson, socketIo("4.8", "polling"), socketIo("4.8", "websocket")]) {
    const room = unique("room");
    const ann = await joinAsUser(t, clientType, server, "ann", { room });
    const msg = "x".repeat(5000);
    assert.equal((await ann.ask("send message", { room, msg })).ok, true);
    await ann.close();
  }
  await untilFilled(page, "Connection and disconnection events");
  await untilFilled(page, "Bytes received and sent");
  await saveScreenshot(page, "charts");
});

test("the page shows sockets, rooms, clients, events and servers", async (t) => {
  const room = unique("room");
  const ann = await joinAsUser(t, socketIo("4.8", "polling"), server, "ann", { room });
  const page = await openPage(t);
  await logIn(page);
  await isConnected(page);
  await show(page, "Sockets");
  const row = page.locator("tbody tr", { hasText: addressOf(ann) });
  await row.getByText("HTTP long-polling").waitFor();
  await saveScreenshot(page, "sockets");
  await show(page, "Rooms");
  await page.locator("tbody tr", { hasText: room }).waitFor();
  await saveScreenshot(page, "rooms");
  await show(page, "Clients");
  await page.locator("tbody tr", { hasText: "127.0.0.1" }).first().waitFor();
  await saveScreenshot(page, "clients");
  await show(page, "Servers");
  await page
    .locator("tbody tr", { hasText: String(server.pid) })
    .getByText("healthy")
    .waitFor();
  await saveScreenshot(page, "servers");
  const next = unique("next");
  assert.equal((await ann.ask("join", { room: next })).ok, true);
  await show(page, "Events");
  await page.locator("tbody tr", { hasText: next }).waitFor();
  await saveScreenshot(page, "events");
});

test("a socket joins and leaves a room, and is disconnected", async (t) => {
  const page = await openPage(t);
  const ann = await joinAsUser(t, socketIo("4.8", "websocket"), server, "ann");
  const id = addressOf(ann);
  const showSocket = async () => {
    await show(page, "Sockets");
    const row = page.locator("tbody tr", { hasText: id });
    // The view before stays until its transition has ended.
    await waitUntil("the only row", async () => (await row.count()) === 1);
    await row.click();
    await page.getByText(`"user": "${ann.name}"`).waitFor();
  };
  await logIn(page);
  await isConnected(page);
  await showSocket();
  const room = unique("room");
  await page.getByLabel("Join a room").fill(room);
  await page.locator("form", { hasText: "Join a room" }).locator("button[type=submit]").click();
  assert.equal((await ann.next("membership", (it) => it.room === room)).role, "member");
  const row = page.locator("tbody tr", { hasText: room });
  await row.waitFor();
  await saveScreenshot(page, "socket");
  await clickIcon(page, row, "Leave this room");
  assert.equal((await ann.next("membership", (it) => it.room === room)).role, null);
  await showSocket(); // the click on the button has opened the room, too
  await row.waitFor({ state: "detached" });
  const status = page.locator("tbody tr", { hasText: "Status" }).last();
  await clickIcon(page, status, "Disconnect this Socket instance");
  assert.equal((await ann.next("closing")).code, "disconnected");
  await status.getByText("disconnected", { exact: true }).waitFor();
  await saveScreenshot(page, "disconnected");
});
