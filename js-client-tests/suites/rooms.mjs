// Rooms: `join`, `leave`, `GroupList`. docs/protocol.md "Client to server".

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk, assertRefused, assertSameNames } from "../support/assert.mjs";
import { barrier, connect, connectWithToken, joinAsGuest } from "../support/fixtures.mjs";
import { unique } from "../support/unique.mjs";

export function rooms(clientType, server) {
  test("joining notifies the others, and acknowledges the state of the room", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann");
    const bob = await joinAsGuest(t, clientType, server, "bob");
    const empty = { ok: true, room, role: "owner", seq: 0, unread: 0, read: 0, count: 1 };
    assert.deepEqual(await ann.ask("join", room), empty);
    assertOk(await ann.ask("send message", { room, msg: "hello" }));
    const begun = { ok: true, room, role: "member", seq: 1, unread: 0, read: 1, count: 2 };
    assert.deepEqual(await bob.ask("join", { room }), begun);
    assert.deepEqual(await ann.next("user joined", (it) => it.room === room), {
      room,
      user: bob.name,
    });
    await barrier(ann, room, bob);
    assert.deepEqual(
      bob.take("user joined").filter((it) => it.room === room),
      [],
    );
  });

  test("joining twice has no effect", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    await ann.next("user joined");
    const answer = assertOk(await bob.ask("join", room));
    assert.deepEqual([answer.role, answer.seq, answer.count], ["member", 0, 2]);
    await barrier(bob, room, ann, bob);
    assert.deepEqual(ann.take("user joined"), []);
    assert.deepEqual(bob.take("new message"), []);
  });

  test("joining again acknowledges the current state", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    assertOk(await ann.ask("send message", "one"));
    assertOk(await bob.ask("mute", { room, muted: true }));
    const summary = { role: "member", seq: 1, unread: 1, read: 0, muted: true };
    assert.deepEqual(await bob.ask("join", room), { ok: true, room, ...summary, count: 2 });
  });

  test("a message stays in its room", async (t) => {
    const [room, other] = [unique("room"), unique("other")];
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const bob = await joinAsGuest(t, clientType, server, "bob", { room: other });
    assertOk(await ann.ask("join", other));
    assertOk(await ann.ask("send message", { room, msg: "not for bob" }));
    assertOk(await ann.ask("GroupChat", { room, data: "not for bob" }));
    await barrier(ann, other, bob);
    assert.deepEqual(bob.take("new message"), []);
    assert.deepEqual(bob.take("GroupChat"), []);
  });

  test("a user who leaves receives no more, and the others are notified", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann");
    const bob = await joinAsGuest(t, clientType, server, "bob");
    for (const it of [ann, bob]) assertOk(await it.ask("join", room));
    assert.deepEqual(await bob.ask("leave", room), { ok: true, room, seq: 0, count: 1 });
    await ann.next("user left", (it) => it.room === room && it.user === bob.name);
    await barrier(ann, room, ann);
    await barrier(ann, "lobby", bob);
    assert.deepEqual(
      bob.take("new message").filter((it) => it.room === room),
      [],
    );
    assertRefused(await bob.ask("send message", { room, msg: "x" }), "not_member");
    assertRefused(await bob.ask("GroupList", { room }), "not_member");
    assertRefused(await bob.ask("history", { room }), "not_member");
  });

  test("a room without members keeps its history", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann");
    assertOk(await ann.ask("join", { room }));
    assertOk(await ann.ask("send message", { room, msg: "hello" }));
    assert.deepEqual(await ann.ask("leave", { room }), { ok: true, room, seq: 1, count: 0 });
    const { seq, unread, count } = assertOk(await ann.ask("join", { room }));
    assert.deepEqual([seq, unread, count], [1, 0, 1]);
    assert.equal((await ann.ask("history", { room })).messages[0].msg, "hello");
  });

  test("a user is in a room while any of their connections is", async (t) => {
    const room = unique("room");
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const second = await connectWithToken(t, clientType, server, ann.token, { room });
    assert.deepEqual(await bob.next("user joined"), { room, user: ann.name });
    ann.close();
    const carol = await joinAsGuest(t, clientType, server, "carol", { room });
    await barrier(second, room, bob);
    await bob.next("user joined", ({ user }) => user === carol.name);
    assert.deepEqual(bob.take("user joined"), []);
    assert.deepEqual(bob.take("user left"), []);
    assert.equal(assertOk(await second.ask("leave", room)).count, 2);
    assert.deepEqual(await bob.next("user left"), { room, user: ann.name });
  });

  test("room names are case-sensitive", async (t) => {
    const room = unique(clientType.text("Straße_1.2:a#b+c/d~e"));
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    assert.equal(ann.welcome.rooms[0].room, room);
    const lower = room.toLowerCase();
    assertOk(await ann.ask("join", lower));
    assertOk(await ann.ask("send message", { room: lower, msg: "lower" }));
    const answer = assertOk(await ann.ask("send message", "upper"));
    assert.deepEqual([answer.room, answer.seq], [room, 1]);
  });

  test("a room that is requested when connecting replaces the lobby", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    assert.deepEqual(ann.welcome.rooms, [{ room, seq: 0, unread: 0, read: 0, role: "owner" }]);
    assert.equal(assertOk(await ann.ask("GroupList")).room, room);
    assertRefused(await ann.ask("GroupList", { room: "lobby" }), "not_member");
  });

  test("an invalid room is refused when connecting", async (t) => {
    for (const room of [" ", "two\nlines", "\u0301", "a\u202eb", "x".repeat(65)]) {
      assert.equal(await clientType.refusal(server, { room }), "room_invalid", room);
    }
    const ann = await connect(t, clientType, server, { room: "x".repeat(64) });
    await ann.identify(unique("ann"));
  });

  test("GroupList answers the users of a room, once each", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    await connectWithToken(t, clientType, server, ann.token, { room });
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    const { users, ...rest } = assertOk(await bob.ask("GroupList", { room }));
    assertSameNames(users, [ann.name, bob.name]);
    assert.deepEqual(rest, { ok: true, room, count: 2 });
  });

  test("without an acknowledgement GroupList is answered by an event", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    ann.emit("GroupList");
    assert.deepEqual(await ann.next("GroupList"), { room, users: [ann.name], count: 1 });
  });
}
