// Memberships: kept while offline, shared by all devices, and how they begin and end.
// docs/protocol.md "Members".

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk, assertRefused, assertSameNames } from "../support/assert.mjs";
import {
  barrier,
  connectWithToken,
  joinAsGuest,
  joinAsUser,
  userOnTwoDevices,
} from "../support/fixtures.mjs";
import { SECRET } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";

/** Room policies by name pattern. */
export const ROOM_SETTINGS = {
  "token.secret": SECRET,
  "rooms.auto_join": ["lobby", "hall"],
  "rooms.public": ["lobby", "hall", "room-*", "news-*", "private-*"],
  "rooms.private": ["private-*"],
  "rooms.read_only": ["news-*"],
  "limits.presence_grace_ms": 100,
};

/** A room in `welcome`, or undefined. */
export function roomInWelcome(room, { welcome }) {
  return welcome.rooms.find((it) => it.room === room);
}

/** `server` has the settings `ROOM_SETTINGS`. */
export function memberships(clientType, server) {
  test("a member stays one until they leave, also while offline", async (t) => {
    const room = unique("room");
    const ann = await joinAsUser(t, clientType, server, "ann");
    const bob = await joinAsUser(t, clientType, server, "bob");
    for (const it of [ann, bob]) assertOk(await it.ask("join", room));
    ann.close();
    await bob.next("user left", (it) => it.room === room && it.user === ann.name);
    for (const msg of ["one", "two"]) assertOk(await bob.ask("send message", { room, msg }));
    const back = await connectWithToken(t, clientType, server, ann.token);
    assert.deepEqual(roomInWelcome(room, back), {
      room,
      seq: 2,
      unread: 2,
      read: 0,
      role: "owner",
    });
    await bob.next("user joined", (it) => it.room === room && it.user === ann.name);
    await barrier(bob, room, back);
    await barrier(back, room, bob);
  });

  test("joining on one device notifies and joins the others", async (t) => {
    const room = unique("room");
    const [ann, second] = await userOnTwoDevices(t, clientType, server, "ann");
    assertOk(await ann.ask("join", room));
    const summary = { room, role: "owner", seq: 0, unread: 0, read: 0 };
    assert.deepEqual(await second.next("membership"), summary);
    await barrier(ann, room, ann, second);
    assertOk(await second.ask("GroupList", { room }));
    assert.deepEqual(ann.take("membership"), []);
  });

  test("leaving on one device leaves on all", async (t) => {
    const room = unique("room");
    const [ann, second] = await userOnTwoDevices(t, clientType, server, "ann");
    const bob = await joinAsUser(t, clientType, server, "bob");
    for (const it of [ann, bob]) assertOk(await it.ask("join", room));
    assert.equal(assertOk(await second.ask("leave", room)).count, 1);
    assert.deepEqual(await ann.next("membership"), { room, role: null });
    const left = await bob.next("user left", (it) => it.room === room);
    assert.deepEqual(left, { room, user: ann.name });
    for (const it of [ann, second]) {
      assertRefused(await it.ask("send message", { room, msg: "x" }), "not_member");
      assertRefused(await it.ask("history", { room }), "not_member");
    }
    await barrier(bob, room, bob);
    await barrier(bob, "lobby", ann, second);
    for (const it of [ann, second]) {
      assert.deepEqual(
        it.take("new message").filter((sent) => sent.room === room),
        [],
      );
    }
  });

  test("a later device is not in a room that its user left", async (t) => {
    const room = unique("room");
    const ann = await joinAsUser(t, clientType, server, "ann");
    assertOk(await ann.ask("join", room));
    assertOk(await ann.ask("leave", room));
    const later = await connectWithToken(t, clientType, server, ann.token);
    assert.equal(roomInWelcome(room, later), undefined);
    assertRefused(await later.ask("GroupList", { room }), "not_member");
  });

  test("a member who leaves and joins again has nothing unread", async (t) => {
    const room = unique("room");
    const ann = await joinAsUser(t, clientType, server, "ann");
    const bob = await joinAsUser(t, clientType, server, "bob");
    for (const it of [ann, bob]) assertOk(await it.ask("join", room));
    assertOk(await bob.ask("leave", room));
    for (const msg of ["one", "two"]) assertOk(await ann.ask("send message", { room, msg }));
    assert.equal(assertOk(await bob.ask("join", room)).seq, 2);
    const later = await connectWithToken(t, clientType, server, bob.token);
    assert.deepEqual(roomInWelcome(room, later), {
      room,
      seq: 2,
      unread: 0,
      read: 2,
      role: "member",
    });
  });

  test("the first member of an empty room owns it", async (t) => {
    const room = unique("room");
    const ann = await joinAsUser(t, clientType, server, "ann");
    const bob = await joinAsUser(t, clientType, server, "bob");
    for (const it of [ann, bob]) assertOk(await it.ask("join", room));
    assert.deepEqual(await rolesOf(t, room, ann, bob), ["owner", "member"]);
    for (const it of [ann, bob]) assertOk(await it.ask("leave", room));
    for (const it of [bob, ann]) assertOk(await it.ask("join", room));
    assert.deepEqual(await rolesOf(t, room, ann, bob), ["member", "owner"]);
  });

  test("all users are in the rooms of `auto_join`, without an owner", async (t) => {
    const clients = [
      await joinAsUser(t, clientType, server, "ann"),
      await joinAsGuest(t, clientType, server, "bob"),
    ];
    for (const { welcome } of clients) {
      const summaries = welcome.rooms.map(({ room, role, unread }) => [room, role, unread]);
      assert.deepEqual(summaries.sort(), [
        ["hall", "member", 0],
        ["lobby", "member", 0],
      ]);
    }
  });

  test("a requested room replaces only the lobby", async (t) => {
    const room = unique("room");
    const ann = await joinAsUser(t, clientType, server, "ann", { room });
    assertSameNames(
      ann.welcome.rooms.map((it) => it.room),
      ["hall", room],
    );
  });

  test("a membership that a token does not permit is kept for a token that does", async (t) => {
    const room = unique("room");
    const ann = await joinAsUser(t, clientType, server, "ann");
    assertOk(await ann.ask("join", room));
    const narrow = await joinAsUser(t, clientType, server, "x", {
      claims: { sub: ann.name, rooms: ["hall"] },
    });
    assert.deepEqual(
      narrow.welcome.rooms.map((it) => it.room),
      ["hall"],
    );
    const wide = await connectWithToken(t, clientType, server, ann.token);
    assert.equal(roomInWelcome(room, wide).role, "owner");
  });

  test("a guest's memberships end with the guest", async (t) => {
    const [room, shared] = [unique("room"), unique("room")];
    const ann = await joinAsUser(t, clientType, server, "ann", { room: shared });
    const guest = await joinAsGuest(t, clientType, server, "guest", { room: shared });
    assertOk(await guest.ask("join", room));
    guest.close();
    await ann.next("user left", ({ user }) => user === guest.name);
    assertOk(await ann.ask("join", room));
    assert.deepEqual(await rolesOf(t, room, ann), ["owner"]);
    const back = await connectWithToken(t, clientType, server, guest.token);
    assert.equal(roomInWelcome(room, back), undefined);
    assert.equal(roomInWelcome(shared, back), undefined);
  });

  /** The role that the next connection of each user has. */
  async function rolesOf(t, room, ...clients) {
    const roles = [];
    for (const { token } of clients) {
      const next = await connectWithToken(t, clientType, server, token);
      roles.push(roomInWelcome(room, next)?.role);
      next.close();
    }
    return roles;
  }
}

/** `fresh` starts a server with the settings `ROOM_SETTINGS` for one test. */
export function membershipsAfterRestart(clientType, fresh) {
  test("members, roles and read positions survive a restart", async (t) => {
    const server = await fresh(t);
    const room = unique("room");
    const ann = await joinAsUser(t, clientType, server, "ann");
    const bob = await joinAsUser(t, clientType, server, "bob");
    for (const it of [ann, bob]) assertOk(await it.ask("join", room));
    for (const msg of [1, 2, 3]) assertOk(await ann.ask("send message", { room, msg }));
    assertOk(await bob.ask("read", { room, seq: 1 }));
    assertOk(await bob.ask("mute", { room, muted: true }));
    assertOk(await ann.ask("invite", { room, user: bob.name, role: "admin" }));
    await server.kill9();
    await server.start();
    const [owner, admin] = [
      await connectWithToken(t, clientType, server, ann.token),
      await connectWithToken(t, clientType, server, bob.token),
    ];
    assert.deepEqual(roomInWelcome(room, owner), {
      room,
      seq: 3,
      unread: 0,
      read: 3,
      role: "owner",
    });
    assert.deepEqual(roomInWelcome(room, admin), {
      room,
      seq: 3,
      unread: 2,
      read: 1,
      role: "admin",
      muted: true,
    });
    await barrier(owner, room, admin);
  });
}
