// The page in a real browser. What the browser complains of fails the test.

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

/** That nobody is signed in yet is an answer like others, but browsers complain of it. */
const NOT_SIGNED_IN = /^(response: GET|console:) \S*\/api\/session .*\b401\b/;

/** A browser that lives as long as the test file that asks for it. */
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

/** One person's window: a page with cookies and storage of its own. */
export class ChatPage {
  #errors = [];
  #expected;

  /**
   * Opens the page; `beside` somebody, in another tab of theirs. `expected` are the complaints that
   * the test provokes.
   */
  static async open(t, { browser }, server, { expected = [], sharing, ...options } = {}) {
    const person = new ChatPage();
    person.#expected = [NOT_SIGNED_IN, ...expected];
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
      // What the page itself gave up is no failure: a poll when it is left, or when it upgrades.
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
      assert.deepEqual(person.#errors, [], "the browser complained");
    });
    await page.goto(server.url);
    return person;
  }

  /** Signs in with a name nobody else has. */
  async signIn(base) {
    this.name = unique(base);
    await this.nameBox.fill(this.name);
    await this.page.getByRole("button", { name: "Join", exact: true }).click();
    await this.connected();
    return this;
  }

  /** Signs in with a token, where a name is not enough. */
  async signInWithToken(token) {
    await this.nameBox.fill("whoever");
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

  /** The bell; with `unread`, when it says so. */
  notificationsButton(unread) {
    const name = unread ? new RegExp(`^Notifications, ${unread} unread`) : /^Notifications/;
    return this.page.getByRole("button", { name });
  }

  /** A button by its whole name. */
  button(name) {
    return this.page.getByRole("button", { name, exact: true });
  }

  /** Opens what one can do with the conversation. */
  async openDetails() {
    await this.page.getByRole("button", { name: /^(Room|Conversation) details$/ }).click();
  }

  /** Waits until the page shows `text`, wherever that is. */
  async waitForText(text) {
    await this.page.getByText(text, { exact: true }).first().waitFor();
  }

  /** Says `text` in the conversation that is open. */
  async send(text) {
    await this.messageBox.fill(text);
    await this.page.getByRole("button", { name: "Send", exact: true }).click();
  }

  /** Waits until the log shows `text`. */
  async waitForMessage(text) {
    await this.log.getByText(text, { exact: true }).first().waitFor();
  }

  /** How often the log shows `text`. */
  count(text) {
    return this.log.getByText(text, { exact: true }).count();
  }

  /** Makes a room, or opens it. */
  async joinRoom(room) {
    await this.page.getByRole("textbox", { name: "Room name", exact: true }).fill(room);
    await this.page.getByRole("button", { name: "Join room", exact: true }).click();
    await this.room(room).waitFor();
  }

  /** The entry of a room in the list of rooms; with `unread`, one that says so. */
  room(name, unread) {
    return entry(this.rooms, name, unread);
  }

  /** The entry of a person in the list of people; with `unread`, one that says so. */
  person(name, unread) {
    return entry(this.people, name, unread);
  }

  /** Waits until the page says that it is connected. */
  async connected() {
    await this.status.filter({ hasText: "Connected" }).waitFor({ state: "attached" });
  }

  /** Waits until the page says that it is not. */
  async reconnecting() {
    await this.status.filter({ hasText: "Reconnecting" }).waitFor({ state: "attached" });
  }

  /** Keeps a picture for a person to look at. */
  async saveScreenshot(name) {
    await mkdir(ARTEFACTS, { recursive: true });
    await this.page.screenshot({ path: `${ARTEFACTS}${name}.png`, animations: "disabled" });
  }

  #record(what) {
    if (!this.#expected.some((known) => known.test(what))) this.#errors.push(what);
  }
}

/** What one can press in a list, whether it is a button or a link; its name may carry a count. */
function entry(list, name, unread) {
  const exactly = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const named = { name: new RegExp(`^${exactly}${unread ? `.*\\b${unread} unread` : ""}`) };
  return list.getByRole("button", named).or(list.getByRole("link", named));
}
