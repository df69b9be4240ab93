// Being a member: for good, on all devices, and where it begins and ends. docs/protocol.md "Members".

import assert from "node:assert/strict";
import { test } from "node:test";

import { accepted, refused, sameNames } from "../support/assert.mjs";
import { unique } from "../support/names.mjs";
import { comeBack, enrol, enter, fence } from "../support/people.mjs";
import { SECRET } from "../support/tokens.mjs";

/** What the rooms of these tests are, by how their names begin. */
export const ROOMS = {
  "token.secret": SECRET,
  "rooms.auto_join": ["lobby", "hall"],
  "rooms.public": ["lobby", "hall", "room-*", "news-*", "private-*"],
  "rooms.private": ["private-*"],
  "rooms.read_only": ["news-*"],
  "limits.presence_grace_ms": 100,
};

/** What `welcome` says of a room, or nothing. */
export function seatIn(room, { welcome }) {
  return welcome.rooms.find((it) => it.room === room);
}

/** `server` has the settings `ROOMS`. */
export function members(way, server) {
  test("who joined is a member until they leave, also while they are away", async (t) => {
    const room = unique("room");
    const ann = await enrol(t, way, server, "ann");
    const bob = await enrol(t, way, server, "bob");
    for (const it of [ann, bob]) accepted(await it.ask("join", room));
    ann.close();
    await bob.next("user left", (it) => it.room === room && it.user === ann.name);
    for (const msg of ["one", "two"]) accepted(await bob.ask("send message", { room, msg }));
    const back = await comeBack(t, way, server, ann.token);
    assert.deepEqual(seatIn(room, back), { room, seq: 2, unread: 2, read: 0, role: "owner" });
    await bob.next("user joined", (it) => it.room === room && it.user === ann.name);
    await fence(bob, room, back);
    await fence(back, room, bob);
  });

  test("joining on one device is heard by the others, and they are in the room", async (t) => {
    const room = unique("room");
    const { ann, second } = await twoDevices(t);
    accepted(await ann.ask("join", room));
    const seat = { room, role: "owner", seq: 0, unread: 0, read: 0 };
    assert.deepEqual(await second.next("membership"), seat);
    await fence(ann, room, ann, second);
    accepted(await second.ask("GroupList", { room }));
    assert.deepEqual(ann.take("membership"), []);
  });

  test("leaving on one device is leaving on all", async (t) => {
    const room = unique("room");
    const { ann, second } = await twoDevices(t);
    const bob = await enrol(t, way, server, "bob");
    for (const it of [ann, bob]) accepted(await it.ask("join", room));
    assert.equal(accepted(await second.ask("leave", room)).count, 1);
    assert.deepEqual(await ann.next("membership"), { room, role: null });
    const left = await bob.next("user left", (it) => it.room === room);
    assert.deepEqual(left, { room, user: ann.name });
    for (const it of [ann, second]) {
      refused(await it.ask("send message", { room, msg: "x" }), "not_member");
      refused(await it.ask("history", { room }), "not_member");
    }
    await fence(bob, room, bob);
    await fence(bob, "lobby", ann, second);
    for (const it of [ann, second]) {
      assert.deepEqual(
        it.take("new message").filter((said) => said.room === room),
        [],
      );
    }
  });

  test("a device that comes later is not where its user left", async (t) => {
    const room = unique("room");
    const ann = await enrol(t, way, server, "ann");
    accepted(await ann.ask("join", room));
    accepted(await ann.ask("leave", room));
    const later = await comeBack(t, way, server, ann.token);
    assert.equal(seatIn(room, later), undefined);
    refused(await later.ask("GroupList", { room }), "not_member");
  });

  test("who leaves and joins again begins with nothing unread", async (t) => {
    const room = unique("room");
    const ann = await enrol(t, way, server, "ann");
    const bob = await enrol(t, way, server, "bob");
    for (const it of [ann, bob]) accepted(await it.ask("join", room));
    accepted(await bob.ask("leave", room));
    for (const msg of ["one", "two"]) accepted(await ann.ask("send message", { room, msg }));
    assert.equal(accepted(await bob.ask("join", room)).seq, 2);
    const later = await comeBack(t, way, server, bob.token);
    assert.deepEqual(seatIn(room, later), { room, seq: 2, unread: 0, read: 2, role: "member" });
  });

  test("the first to join owns the room, and the next one who finds it empty", async (t) => {
    const room = unique("room");
    const ann = await enrol(t, way, server, "ann");
    const bob = await enrol(t, way, server, "bob");
    for (const it of [ann, bob]) accepted(await it.ask("join", room));
    assert.deepEqual(await rolesOf(t, room, ann, bob), ["owner", "member"]);
    for (const it of [ann, bob]) accepted(await it.ask("leave", room));
    for (const it of [bob, ann]) accepted(await it.ask("join", room));
    assert.deepEqual(await rolesOf(t, room, ann, bob), ["member", "owner"]);
  });

  test("everybody is in the rooms of `auto_join`, and nobody owns them", async (t) => {
    const people = [await enrol(t, way, server, "ann"), await enter(t, way, server, "bob")];
    for (const { welcome } of people) {
      const seats = welcome.rooms.map(({ room, role, unread }) => [room, role, unread]);
      assert.deepEqual(seats.sort(), [
        ["hall", "member", 0],
        ["lobby", "member", 0],
      ]);
    }
  });

  test("a room that is asked for stands in place of the lobby alone", async (t) => {
    const room = unique("room");
    const ann = await enrol(t, way, server, "ann", { room });
    sameNames(
      ann.welcome.rooms.map((it) => it.room),
      ["hall", room],
    );
  });

  test("a room that the fresh token does not open is kept for one that does", async (t) => {
    const room = unique("room");
    const ann = await enrol(t, way, server, "ann");
    accepted(await ann.ask("join", room));
    const narrow = await enrol(t, way, server, "x", { claims: { sub: ann.name, rooms: ["hall"] } });
    assert.deepEqual(
      narrow.welcome.rooms.map((it) => it.room),
      ["hall"],
    );
    const wide = await comeBack(t, way, server, ann.token);
    assert.equal(seatIn(room, wide).role, "owner");
  });

  test("a guest's memberships end with the guest", async (t) => {
    const [room, shared] = [unique("room"), unique("room")];
    const ann = await enrol(t, way, server, "ann", { room: shared });
    const guest = await enter(t, way, server, "guest", { room: shared });
    accepted(await guest.ask("join", room));
    guest.close();
    await ann.next("user left", ({ user }) => user === guest.name);
    accepted(await ann.ask("join", room));
    assert.deepEqual(await rolesOf(t, room, ann), ["owner"]);
    const back = await comeBack(t, way, server, guest.token);
    assert.equal(seatIn(room, back), undefined);
    assert.equal(seatIn(shared, back), undefined);
  });

  /** One user on two connections. */
  async function twoDevices(t) {
    const ann = await enrol(t, way, server, "ann", { device: unique("device") });
    const device = unique("device");
    return { ann, second: await comeBack(t, way, server, ann.token, { device }) };
  }

  /** What the next connection of each is told of their role. */
  async function rolesOf(t, room, ...people) {
    const roles = [];
    for (const { token } of people) {
      const next = await comeBack(t, way, server, token);
      roles.push(seatIn(room, next)?.role);
      next.close();
    }
    return roles;
  }
}

/** `fresh` starts a server with the settings `ROOMS` for one test. */
export function membersAfterRestart(way, fresh) {
  test("members, roles and what was read outlive the server", async (t) => {
    const server = await fresh(t);
    const room = unique("room");
    const ann = await enrol(t, way, server, "ann");
    const bob = await enrol(t, way, server, "bob");
    for (const it of [ann, bob]) accepted(await it.ask("join", room));
    for (const msg of [1, 2, 3]) accepted(await ann.ask("send message", { room, msg }));
    accepted(await bob.ask("read", { room, seq: 1 }));
    accepted(await bob.ask("mute", { room, muted: true }));
    accepted(await ann.ask("invite", { room, user: bob.name, role: "admin" }));
    await server.kill9();
    await server.start();
    const [owner, admin] = [
      await comeBack(t, way, server, ann.token),
      await comeBack(t, way, server, bob.token),
    ];
    assert.deepEqual(seatIn(room, owner), { room, seq: 3, unread: 0, read: 3, role: "owner" });
    assert.deepEqual(seatIn(room, admin), {
      room,
      seq: 3,
      unread: 2,
      read: 1,
      role: "admin",
      muted: true,
    });
    await fence(owner, room, admin);
  });
}
