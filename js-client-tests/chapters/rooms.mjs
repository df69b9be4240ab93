// Rooms: `join`, `leave`, `GroupList`. docs/protocol.md "Client to server".

import assert from "node:assert/strict";
import { test } from "node:test";

import { accepted, refused, sameNames } from "../support/assert.mjs";
import { unique } from "../support/names.mjs";
import { arrive, comeBack, enter, fence } from "../support/people.mjs";

export function rooms(way, server) {
  test("joining tells the others, and the newcomer how things stand", async (t) => {
    const room = unique("room");
    const ann = await enter(t, way, server, "ann");
    const bob = await enter(t, way, server, "bob");
    const empty = { ok: true, room, role: "owner", seq: 0, unread: 0, read: 0, count: 1 };
    assert.deepEqual(await ann.ask("join", room), empty);
    accepted(await ann.ask("send message", { room, msg: "hello" }));
    const begun = { ok: true, room, role: "member", seq: 1, unread: 0, read: 1, count: 2 };
    assert.deepEqual(await bob.ask("join", { room }), begun);
    assert.deepEqual(await ann.next("user joined", (it) => it.room === room), {
      room,
      user: bob.name,
    });
    await fence(ann, room, bob);
    assert.deepEqual(
      bob.take("user joined").filter((it) => it.room === room),
      [],
    );
  });

  test("joining twice changes nothing", async (t) => {
    const room = unique("room");
    const ann = await enter(t, way, server, "ann", { room });
    const bob = await enter(t, way, server, "bob", { room });
    await ann.next("user joined");
    const answer = accepted(await bob.ask("join", room));
    assert.deepEqual([answer.role, answer.seq, answer.count], ["member", 0, 2]);
    await fence(bob, room, ann, bob);
    assert.deepEqual(ann.take("user joined"), []);
    assert.deepEqual(bob.take("new message"), []);
  });

  test("joining again says how things stand", async (t) => {
    const room = unique("room");
    const ann = await enter(t, way, server, "ann", { room });
    const bob = await enter(t, way, server, "bob", { room });
    accepted(await ann.ask("send message", "one"));
    accepted(await bob.ask("mute", { room, muted: true }));
    const seat = { role: "member", seq: 1, unread: 1, read: 0, muted: true };
    assert.deepEqual(await bob.ask("join", room), { ok: true, room, ...seat, count: 2 });
  });

  test("a message stays in its room", async (t) => {
    const [room, other] = [unique("room"), unique("other")];
    const ann = await enter(t, way, server, "ann", { room });
    const bob = await enter(t, way, server, "bob", { room: other });
    accepted(await ann.ask("join", other));
    accepted(await ann.ask("send message", { room, msg: "not for bob" }));
    accepted(await ann.ask("GroupChat", { room, data: "not for bob" }));
    await fence(ann, other, bob);
    assert.deepEqual(bob.take("new message"), []);
    assert.deepEqual(bob.take("GroupChat"), []);
  });

  test("who leaves hears no more, and the others hear of it", async (t) => {
    const room = unique("room");
    const ann = await enter(t, way, server, "ann");
    const bob = await enter(t, way, server, "bob");
    for (const it of [ann, bob]) accepted(await it.ask("join", room));
    assert.deepEqual(await bob.ask("leave", room), { ok: true, room, seq: 0, count: 1 });
    await ann.next("user left", (it) => it.room === room && it.user === bob.name);
    await fence(ann, room, ann);
    await fence(ann, "lobby", bob);
    assert.deepEqual(
      bob.take("new message").filter((it) => it.room === room),
      [],
    );
    refused(await bob.ask("send message", { room, msg: "x" }), "not_member");
    refused(await bob.ask("GroupList", { room }), "not_member");
    refused(await bob.ask("history", { room }), "not_member");
  });

  test("a room that everybody left remembers what was said", async (t) => {
    const room = unique("room");
    const ann = await enter(t, way, server, "ann");
    accepted(await ann.ask("join", { room }));
    accepted(await ann.ask("send message", { room, msg: "hello" }));
    assert.deepEqual(await ann.ask("leave", { room }), { ok: true, room, seq: 1, count: 0 });
    const { seq, unread, count } = accepted(await ann.ask("join", { room }));
    assert.deepEqual([seq, unread, count], [1, 0, 1]);
    assert.equal((await ann.ask("history", { room })).messages[0].msg, "hello");
  });

  test("a user is in a room while any of their connections is", async (t) => {
    const room = unique("room");
    const bob = await enter(t, way, server, "bob", { room });
    const ann = await enter(t, way, server, "ann", { room });
    const second = await comeBack(t, way, server, ann.token, { room });
    assert.deepEqual(await bob.next("user joined"), { room, user: ann.name });
    ann.close();
    const carol = await enter(t, way, server, "carol", { room });
    await fence(second, room, bob);
    await bob.next("user joined", ({ user }) => user === carol.name);
    assert.deepEqual(bob.take("user joined"), []);
    assert.deepEqual(bob.take("user left"), []);
    assert.equal(accepted(await second.ask("leave", room)).count, 2);
    assert.deepEqual(await bob.next("user left"), { room, user: ann.name });
  });

  test("a room is what its name says, to the letter", async (t) => {
    const room = unique(way.text("Straße_1.2:a#b+c/d~e"));
    const ann = await enter(t, way, server, "ann", { room });
    assert.equal(ann.welcome.rooms[0].room, room);
    const lower = room.toLowerCase();
    accepted(await ann.ask("join", lower));
    accepted(await ann.ask("send message", { room: lower, msg: "lower" }));
    const answer = accepted(await ann.ask("send message", "upper"));
    assert.deepEqual([answer.room, answer.seq], [room, 1]);
  });

  test("the room asked for at the door stands in place of the lobby", async (t) => {
    const room = unique("room");
    const ann = await enter(t, way, server, "ann", { room });
    assert.deepEqual(ann.welcome.rooms, [{ room, seq: 0, unread: 0, read: 0, role: "owner" }]);
    assert.equal(accepted(await ann.ask("GroupList")).room, room);
    refused(await ann.ask("GroupList", { room: "lobby" }), "not_member");
  });

  test("a room that is not one is refused at the door, too", async (t) => {
    for (const room of ["two words", "a,b", "@ann", "x".repeat(65)]) {
      assert.equal(await way.refusal(server, { room }), "room_invalid", room);
    }
    const ann = await arrive(t, way, server, { room: "x".repeat(64) });
    await ann.identify(unique("ann"));
  });

  test("GroupList answers who is there, once each", async (t) => {
    const room = unique("room");
    const ann = await enter(t, way, server, "ann", { room });
    await comeBack(t, way, server, ann.token, { room });
    const bob = await enter(t, way, server, "bob", { room });
    const { users, ...rest } = accepted(await bob.ask("GroupList", { room }));
    sameNames(users, [ann.name, bob.name]);
    assert.deepEqual(rest, { ok: true, room, count: 2 });
  });

  test("GroupList comes as an event when no answer was asked for", async (t) => {
    const room = unique("room");
    const ann = await enter(t, way, server, "ann", { room });
    ann.tell("GroupList");
    assert.deepEqual(await ann.next("GroupList"), { room, users: [ann.name], count: 1 });
  });
}
