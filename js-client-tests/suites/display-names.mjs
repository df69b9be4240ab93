// Display names: the claim `name` of a token, told to everybody. docs/protocol.md "Display names".

import assert from "node:assert/strict";
import { test } from "node:test";

import { API_SETTINGS } from "../support/api.mjs";
import { assertOk } from "../support/assert.mjs";
import { connectWithToken, joinAsGuest, joinAsUser } from "../support/fixtures.mjs";
import { epochSeconds, SECRET, signToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";

/** What a server for these tests needs. */
export const NAME_SETTINGS = {
  ...API_SETTINGS,
  "token.secret": SECRET,
  "limits.presence_grace_ms": 100,
  events: [{ name: "move", to: "room", room_field: "room", kept: true }],
};

/** `server` has the settings above. */
export function displayNames(clientType, server) {
  const named = (t, name, more = {}) => {
    const { claims, ...options } = more;
    return joinAsUser(t, clientType, server, "u", { claims: { name, ...claims }, ...options });
  };

  test("events of one user have the display name beside it", async (t) => {
    const room = unique("room");
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    bob.listenTo("move");
    const ann = await named(t, "Ann Lee", { room });
    assert.equal(ann.welcome.name, "Ann Lee");
    const user = { user: ann.name, name: "Ann Lee" };
    assert.deepEqual(await bob.next("user joined"), { room, ...user });
    assertOk(await ann.ask("typing", { typing: true }));
    assert.deepEqual(await bob.next("typing"), { room, ...user, typing: true });
    assertOk(await ann.ask("typing", { typing: false }));
    assert.deepEqual(await bob.next("typing"), { room, ...user, typing: false });
    const { seq } = assertOk(await ann.ask("send message", "hi"));
    const { username, name } = await bob.next("new message");
    assert.deepEqual([username, name], [ann.name, "Ann Lee"]);
    assertOk(await ann.ask("GroupChat", "hi"));
    assertOk(await ann.ask("edit message", { seq, msg: "hello" }));
    assertOk(await ann.ask("delete message", { seq }));
    for (const event of ["GroupChat", "message edited", "message deleted"]) {
      assertHas(await bob.next(event), user);
    }
    const unread = assertOk(await bob.ask("send message", "unread"));
    assertOk(await ann.ask("read", { seq: unread.seq }));
    const read = await bob.next("read", (it) => it.user === ann.name);
    assert.deepEqual([read.room, read.name], [room, "Ann Lee"]);
    assertOk(await ann.askWith("move", [{ room }]));
    assertHas(lastArgument(await bob.next("move")), user);
    ann.close();
    assert.deepEqual(await bob.next("user left"), { room, ...user });
  });

  test("a list has one object of names, of those users who have one", async (t) => {
    const room = unique("room");
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    assertOk(await bob.ask("send message", "one"));
    for (const [event, data] of [
      ["GroupList", {}],
      ["history", {}],
      ["presence", { users: [bob.name] }],
    ]) {
      assert.ok(!("names" in assertOk(await bob.ask(event, data))), event);
    }
    const ann = await named(t, "Ann Lee", { room });
    for (const msg of ["two", "three"]) assertOk(await ann.ask("send message", msg));
    const names = { [ann.name]: "Ann Lee" };
    const list = assertOk(await bob.ask("GroupList", {}));
    assert.deepEqual([list.names, list.users.length], [names, 2]);
    const page = assertOk(await bob.ask("history", {}));
    assert.deepEqual([page.names, page.messages.length], [names, 3]);
    for (const it of page.messages) assert.ok(!("name" in it));
    const users = [ann.name, bob.name, "nobody"];
    assert.deepEqual(assertOk(await bob.ask("presence", { users })).names, names);
  });

  test("a guest has no display name", async (t) => {
    const room = unique("room");
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    const guest = await joinAsGuest(t, clientType, server, "guest", { room });
    assert.deepEqual(await bob.next("user joined"), { room, user: guest.name });
    assertOk(await guest.ask("send message", "hi"));
    assert.ok(!("name" in (await bob.next("new message"))));
  });

  test("direct conversations, and `welcome` for their partners", async (t) => {
    const bob = await joinAsUser(t, clientType, server, "bob");
    const other = await joinAsUser(t, clientType, server, "other");
    const ann = await named(t, "Ann Lee");
    const user = { user: ann.name, name: "Ann Lee" };
    for (const it of [ann, other]) assertOk(await it.ask("SingleChat", { to: bob.name, data: 1 }));
    const message = await bob.next("SingleChat", (it) => it.user === ann.name);
    assert.equal(message.name, "Ann Lee");
    assertOk(await ann.ask("typing", { to: bob.name, typing: true }));
    assert.deepEqual(await bob.next("typing"), { with: ann.name, ...user, typing: true });
    assertOk(await bob.ask("SingleChat", { to: ann.name, data: 1 }));
    assertOk(await ann.ask("read", { with: bob.name, seq: 2 }));
    const read = await bob.next("read", (it) => it.user === ann.name);
    assert.deepEqual(read, { with: ann.name, ...user, seq: 2 });
    const again = await connectWithToken(t, clientType, server, bob.token);
    assert.equal(again.welcome.directs.length, 2);
    assert.deepEqual(again.welcome.names, { [ann.name]: "Ann Lee" });
    assert.ok(!("names" in bob.welcome), "there was nobody yet");
  });

  test("who changed a membership, and who sent a notification", async (t) => {
    const room = unique("room");
    const bob = await joinAsUser(t, clientType, server, "bob");
    const ann = await named(t, "Ann Lee", { room, claims: { admin: true } });
    assertOk(await ann.ask("invite", { room, user: bob.name }));
    const by = { by: ann.name, byName: "Ann Lee" };
    assertHas(await bob.next("membership"), { room, role: "member", ...by });
    assertOk(await ann.ask("kick", { room, user: bob.name }));
    assert.deepEqual(await bob.next("membership"), { room, role: null, ...by });
    assertOk(await ann.ask("notify", { to: bob.name, data: "x" }));
    const notification = await bob.next("notification");
    assert.deepEqual([notification.user, notification.name], [ann.name, "Ann Lee"]);
    const page = assertOk(await bob.ask("history", { inbox: true }));
    assert.deepEqual(page.names, { [ann.name]: "Ann Lee" });
  });

  test("`auth` with a fresh token changes or removes the name, also in what was missed", async (t) => {
    const room = unique("room");
    const bob = await joinAsUser(t, clientType, server, "bob", { room });
    const ann = await named(t, "Before", { room });
    await bob.next("user joined");
    assertOk(await ann.ask("send message", "one"));
    await bob.next("new message");
    const missed = async () => {
      const since = { [room]: 0 };
      const again = await connectWithToken(t, clientType, server, bob.token, { room, since });
      return (await again.next("missed")).names;
    };
    assert.deepEqual(await missed(), { [ann.name]: "Before" });
    for (const name of ["After", undefined, "Later"]) {
      const token = await freshToken(server, ann.name, name);
      assertOk(await ann.ask("auth", { token }));
      const names = name && { [ann.name]: name };
      assert.deepEqual(assertOk(await bob.ask("GroupList", {})).names, names);
      assert.deepEqual(assertOk(await bob.ask("history", {})).names, names);
      assert.deepEqual(await missed(), names);
      assertOk(await ann.ask("send message", "more"));
      assert.equal((await bob.next("new message")).name, name);
    }
  });

  test("the token that identified last counts for all connections of the user", async (t) => {
    const room = unique("room");
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    const ann = await named(t, "Before", { room });
    const token = await freshToken(server, ann.name, "After");
    const second = await connectWithToken(t, clientType, server, token, { room });
    assert.equal(second.welcome.name, "After");
    for (const it of [ann, second]) {
      assertOk(await it.ask("send message", { room, msg: "hi" }));
      assert.equal((await bob.next("new message")).name, "After");
    }
    assert.deepEqual(assertOk(await bob.ask("history", {})).names, { [ann.name]: "After" });
  });

  test("two users may have the same display name", async (t) => {
    const room = unique("room");
    const all = [];
    for (const _ of [1, 2]) all.push(await named(t, "Ann Lee", { room }));
    const { names } = assertOk(await all[0].ask("GroupList", {}));
    assert.deepEqual(names, Object.fromEntries(all.map((it) => [it.name, "Ann Lee"])));
  });
}

/** A token of a user, with this display name or without one. */
export function freshToken(server, sub, name) {
  return signToken(server, { sub, exp: epochSeconds(600), name });
}

const lastArgument = (args) => args.at(-1);

/** Asserts that an object has these members, among others. */
function assertHas(object, expected) {
  const found = Object.fromEntries(Object.keys(expected).map((key) => [key, object[key]]));
  assert.deepEqual(found, expected);
}
