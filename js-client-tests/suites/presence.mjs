// Presence: `get users`, `user joined`, `user left`, and the query `presence`. docs/protocol.md
// "Server to client".

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk, assertRecentTime, assertRefused, assertSameNames } from "../support/assert.mjs";
import { barrier, connectWithToken, joinAsGuest, joinAsUser } from "../support/fixtures.mjs";
import { unique } from "../support/unique.mjs";

/** `server` has a short `presence_grace_ms`. */
export function presence(clientType, server) {
  test("all members receive the list of names when a user joins or leaves", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    await ann.next("get users", lists(ann));
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    assert.deepEqual(await ann.next("user joined"), { room, user: bob.name });
    for (const it of [ann, bob]) await it.next("get users", lists(ann, bob));
    bob.close();
    assert.deepEqual(await ann.next("user left"), { room, user: bob.name });
    await ann.next("get users", lists(ann));
  });

  test("a lost connection counts as leaving, too", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    bob.drop();
    assert.deepEqual(await ann.next("user left"), { room, user: bob.name });
  });

  test("a user with a second connection does not leave with the first", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    const second = await connectWithToken(t, clientType, server, bob.token, { room });
    const carol = await joinAsGuest(t, clientType, server, "carol", { room });
    bob.close();
    carol.close();
    await ann.next("user left", ({ user }) => user === carol.name);
    await barrier(second, room, ann);
    assert.deepEqual(ann.take("user left"), []);
    assert.equal(assertOk(await ann.ask("GroupList")).count, 2);
  });

  test("many changes cause few lists", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const begin = performance.now();
    const others = await Promise.all(
      Array.from({ length: 12 }, () => joinAsGuest(t, clientType, server, "other", { room })),
    );
    let lists = 0;
    for (let names = []; names.length < 13; lists += 1) names = await ann.next("get users");
    const seconds = (performance.now() - begin) / 1000;
    assert.ok(lists <= seconds + 3, `${lists} lists in ${seconds} s`);
    assert.equal(others.length, 12);
  });
}

/** The query. `server` has a short `presence_grace_ms` and a `token.secret`. */
export function presenceQuery(clientType, server) {
  test("it answers for users by name, in any room", async (t) => {
    const ann = await joinAsUser(t, clientType, server, "ann", { room: unique("room") });
    const guest = await joinAsGuest(t, clientType, server, "guest", { room: unique("room") });
    const unknown = unique("unknown");
    const asked = [guest.name, unknown, ann.name];
    const { users } = assertOk(await ann.ask("presence", { users: asked }));
    const here = ({ name }, { lastSeen }) => ({ user: name, online: true, devices: 1, lastSeen });
    const away = { user: unknown, online: false, devices: 0 };
    assert.deepEqual(users, [here(guest, users[0]), away, here(ann, users[2])]);
    for (const { lastSeen } of [users[0], users[2]]) assertRecentTime(lastSeen);
  });

  test("devices are counted, not connections", async (t) => {
    const room = unique("room");
    const device = unique("device");
    const ann = await joinAsUser(t, clientType, server, "ann", { room });
    const bob = await joinAsUser(t, clientType, server, "bob", { room, device });
    const count = async () => (await seen(ann, bob)).devices;
    await connectWithToken(t, clientType, server, bob.token, { room, device });
    assert.equal(await count(), 1, "two connections of one device");
    await connectWithToken(t, clientType, server, bob.token, { room, device: unique("device") });
    assert.equal(await count(), 2, "another device");
    for (const devices of [3, 4]) {
      await connectWithToken(t, clientType, server, bob.token, { room });
      assert.equal(await count(), devices, "a connection without a device counts as one");
    }
  });

  test("a user who left is offline, with the time when they were last seen", async (t) => {
    const room = unique("room");
    const ann = await joinAsUser(t, clientType, server, "ann", { room });
    const bob = await joinAsUser(t, clientType, server, "bob", { room });
    const came = (await seen(ann, bob)).lastSeen;
    bob.close();
    await ann.next("user left", ({ user }) => user === bob.name);
    const { lastSeen, ...rest } = await seen(ann, bob);
    assert.deepEqual(rest, { user: bob.name, online: false, devices: 0 });
    assertRecentTime(lastSeen);
    assert.ok(came <= lastSeen, `connected at ${came}, last seen at ${lastSeen}`);
  });

  test("without an acknowledgement the answer is sent as an event", async (t) => {
    const ann = await joinAsUser(t, clientType, server, "ann");
    ann.emit("presence", { users: [ann.name] });
    const { users } = await ann.next("presence");
    assert.deepEqual({ ok: true, users }, await ann.ask("presence", { users: [ann.name] }));
  });

  test("it accepts a hundred names, and not more", async (t) => {
    const ann = await joinAsUser(t, clientType, server, "ann");
    const names = Array.from({ length: 101 }, (_, at) => `unknown-${at}`);
    const { users } = assertOk(await ann.ask("presence", { users: names.slice(1) }));
    assert.deepEqual(
      users.map(({ user }) => user),
      names.slice(1),
    );
    for (const data of [undefined, null, "ann", [], {}, { users: "ann" }, { users: [1] }]) {
      assertRefused(await ann.ask("presence", data), "bad_request", JSON.stringify(data));
    }
    assertRefused(await ann.ask("presence", { users: names }), "bad_request", "101 names");
  });

  /** What `presence` reports for `user`. */
  async function seen(ann, user) {
    return assertOk(await ann.ask("presence", { users: [user.name] })).users[0];
  }
}

/** `server` has a `presence_grace_ms` longer than any test. */
export function presenceGracePeriod(clientType, server) {
  test("a user who reconnects within the grace period never left", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    await ann.next("user joined");
    bob.drop();
    await bob.closed;
    const back = await connectWithToken(t, clientType, server, bob.token, { room });
    await barrier(back, room, ann);
    assert.deepEqual(ann.take("user joined"), []);
    assert.deepEqual(ann.take("user left"), []);
    assertSameNames(assertOk(await ann.ask("GroupList")).users, [ann.name, bob.name]);
  });

  test("`leave` does not wait for the grace period", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    assertOk(await bob.ask("leave", room));
    assert.deepEqual(await ann.next("user left"), { room, user: bob.name });
  });
}

/** Whether a list contains exactly these users. */
function lists(...clients) {
  const expected = clients
    .map(({ name }) => name)
    .sort()
    .join();
  return (names) => {
    assert.ok(names.every((name) => typeof name === "string"));
    return [...names].sort().join() === expected;
  };
}
