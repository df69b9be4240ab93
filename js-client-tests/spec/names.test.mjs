// public/names.js: which display names the page learns from events and answers.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { forgetNames, learn, learnFrom, nameOf } from "../../public/names.js";

beforeEach(forgetNames);

test("a user without a display name is shown by their id", () => {
  assert.equal(nameOf("u-1"), "u-1");
});

test("events name one user, and lists several", () => {
  learnFrom("new message", { username: "u-1", name: "Ann", msg: "hi" });
  learnFrom("user joined", { room: "lobby", user: "u-2", name: "Bob" });
  learnFrom("membership", { room: "lobby", role: "admin", by: "u-3", byName: "Carol" });
  learn({ ok: true, messages: [], names: { "u-4": "Dave" } });
  learn({ ok: true, members: [{ user: "u-5", name: "Eve" }, { user: "u-6" }] });
  const shown = ["u-1", "u-2", "u-3", "u-4", "u-5", "u-6"].map(nameOf);
  assert.deepEqual(shown, ["Ann", "Bob", "Carol", "Dave", "Eve", "u-6"]);
});

test("a name changes, and is removed when the user joins without one", () => {
  learnFrom("user joined", { user: "u-1", name: "Ann" });
  learnFrom("typing", { user: "u-1", typing: true });
  assert.equal(nameOf("u-1"), "Ann");
  learnFrom("SingleChat", { user: "u-1", name: "Anna", data: "hi" });
  assert.equal(nameOf("u-1"), "Anna");
  learnFrom("user joined", { user: "u-1" });
  assert.equal(nameOf("u-1"), "u-1");
});

test("events of clients and malformed data teach nothing", () => {
  learnFrom("reaction", { user: "u-1", name: "Admin" });
  for (const data of [null, undefined, "text", 1, ["u-1"], { user: "u-1", name: 1 }]) {
    learnFrom("user joined", data);
    learn(data);
  }
  assert.equal(nameOf("u-1"), "u-1");
});
