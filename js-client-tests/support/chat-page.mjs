// The page in a real browser. Errors that the browser reports fail the test.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

import { TIMEOUT_MS } from "./timeouts.mjs";
import { unique } from "./unique.mjs";

const ARTEFACTS = fileURLToPath(new URL("../../artefacts/", import.meta.url));

const ARGS = [
  ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-gpu",
  "--disable-sync",
  "--no-first-run",
];

/** A browser for the whole test file. */
export function browserForThisFile() {
  const holder = {};
  before(async () => {
    holder.browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: ARGS,
      timeout: 3 * TIMEOUT_MS,
    });
  });
  after(() => holder.browser?.close());
  return holder;
}

/** Page object: one browser page, with its own cookies and storage. */
export class ChatPage {
  #errors = [];
  #expected;

  /**
   * Opens the page; with `sharing`, as another tab in the browser context of that page. `expected`
   * matches the errors that the test provokes.
   */
  static async open(t, { browser }, server, { expected = [], sharing, ...options } = {}) {
    const person = new ChatPage();
    person.#expected = expected;
    const viewport = { width: 1100, height: 720 };
    const context = sharing?.page.context() ?? (await browser.newContext({ viewport, ...options }));
    context.setDefaultTimeout(TIMEOUT_MS);
    const page = await context.newPage();
    person.page = page;
    page.on("console", (line) => {
      if (!["error", "warning"].includes(line.type())) return;
      person.#record(`console: ${line.location().url} ${line.text()}`);
    });
    page.on("pageerror", (error) => person.#record(`exception: ${error.stack ?? error}`));
    page.on("requestfailed", (request) => {
      const { errorText } = request.failure();
      // Requests that the page cancels are no failures: a poll when the page closes or upgrades.
      if (errorText === "net::ERR_ABORTED") return;
      person.#record(`request: ${request.url()} ${errorText}`);
    });
    page.on("response", (response) => {
      if (response.status() < 400) return;
      const method = response.request().method();
      person.#record(`response: ${method} ${response.url()} ${response.status()}`);
    });
    t.after(async () => {
      await (sharing ? page : context).close();
      assert.deepEqual(person.#errors, [], "the browser reported errors");
    });
    await page.goto(server.url);
    return person;
  }

  /** Signs in with a unique name. */
  async signIn(base) {
    this.name = unique(base);
    await this.nameBox.fill(this.name);
    await this.page.getByRole("button", { name: "Join", exact: true }).click();
    await this.connected();
    return this;
  }

  /** Signs in with a token, where guests are not allowed. */
  async signInWithToken(token) {
    await this.nameBox.fill("guest");
    await this.nameBox.press("Enter");
    await this.tokenBox.fill(token);
    await this.tokenBox.press("Enter");
    await this.connected();
    return this;
  }

  get nameBox() {
    return this.page.getByRole("textbox", { name: "Your name", exact: true });
  }

  get tokenBox() {
    return this.page.getByLabel("Your token", { exact: true });
  }

  get messageBox() {
    return this.page.getByRole("textbox", { name: "Message", exact: true });
  }

  get rooms() {
    return this.page.getByRole("navigation", { name: "Rooms" });
  }

  get people() {
    return this.page.getByRole("navigation", { name: "People" });
  }

  get log() {
    return this.page.getByRole("log");
  }

  get status() {
    return this.page.getByRole("status");
  }

  /** The notifications button; with `unread`, the one that shows this count. */
  notificationsButton(unread) {
    const name = unread ? new RegExp(`^Notifications, ${unread} unread`) : /^Notifications/;
    return this.page.getByRole("button", { name });
  }

  /** A button by its full name. */
  button(name) {
    return this.page.getByRole("button", { name, exact: true });
  }

  /** Opens the details of the open conversation. */
  async openDetails() {
    await this.page.getByRole("button", { name: /^(Room|Conversation) details$/ }).click();
  }

  /** Waits until the page shows `text` anywhere. */
  async waitForText(text) {
    await this.page.getByText(text, { exact: true }).first().waitFor();
  }

  /** Sends `text` to the open conversation. */
  async send(text) {
    await this.messageBox.fill(text);
    await this.page.getByRole("button", { name: "Send", exact: true }).click();
  }

  /** Waits until the message log shows `text`. */
  async waitForMessage(text) {
    await this.log.getByText(text, { exact: true }).first().waitFor();
  }

  /** How many times the message log shows `text`. */
  count(text) {
    return this.log.getByText(text, { exact: true }).count();
  }

  /** Creates or joins a room. */
  async joinRoom(room) {
    await this.page.getByRole("textbox", { name: "Room name", exact: true }).fill(room);
    await this.page.getByRole("button", { name: "Join room", exact: true }).click();
    await this.room(room).waitFor();
  }

  /** The entry of a room in the room list; with `unread`, the one that shows this count. */
  room(name, unread) {
    return entry(this.rooms, name, unread);
  }

  /** The entry of a user in the user list; with `unread`, the one that shows this count. */
  person(name, unread) {
    return entry(this.people, name, unread);
  }

  /** Waits until the page shows that it is connected. */
  async connected() {
    await this.status.filter({ hasText: "Connected" }).waitFor({ state: "attached" });
  }

  /** Waits until the page shows that it is reconnecting. */
  async reconnecting() {
    await this.status.filter({ hasText: "Reconnecting" }).waitFor({ state: "attached" });
  }

  /** Saves a screenshot for human review. */
  async saveScreenshot(name) {
    await mkdir(ARTEFACTS, { recursive: true });
    await this.page.screenshot({ path: `${ARTEFACTS}${name}.png`, animations: "disabled" });
  }

  #record(what) {
    if (!this.#expected.some((known) => known.test(what))) this.#errors.push(what);
  }
}

/** An entry of a list, a button or a link; its name may end with a count. */
function entry(list, name, unread) {
  const exactly = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const named = { name: new RegExp(`^${exactly}${unread ? `.*\\b${unread} unread` : ""}`) };
  return list.getByRole("button", named).or(list.getByRole("link", named));
}
