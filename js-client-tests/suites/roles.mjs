// What each role permits, and how users get roles. docs/protocol.md "Members".

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk, assertRefused } from "../support/assert.mjs";
import { barrier, connectWithToken, joinAsGuest, joinAsUser } from "../support/fixtures.mjs";
import { withTimeout } from "../support/timeouts.mjs";
import { unique } from "../support/unique.mjs";
import { roomInWelcome } from "./memberships.mjs";

/** `server` has the settings `ROOM_SETTINGS` of ./memberships.mjs. */
export function roles(clientType, server) {
  test("in a read-only room new members are readers", async (t) => {
    const room = unique("news");
    const ann = await joinAsUser(t, clientType, server, "ann", { room });
    assert.equal(roomInWelcome(room, ann).role, "reader");
    assertRefused(await ann.ask("send message", { room, msg: "x" }), "read_only");
    assertRefused(await ann.ask("GroupChat", { room, data: "x" }), "read_only");
    assert.deepEqual(assertOk(await ann.ask("history", { room })).messages, []);
    const root = await joinAsUser(t, clientType, server, "root", { room, claims: { admin: true } });
    await barrier(root, room, ann);
  });

  test("in a read-only room an invitation is for a reader by default", async (t) => {
    const room = unique("news");
    const root = await joinAsUser(t, clientType, server, "root", { room, claims: { admin: true } });
    const ann = await joinAsUser(t, clientType, server, "ann");
    const user = ann.name;
    const first = assertOk(await root.ask("invite", { room, user }));
    assert.deepEqual(first, { ok: true, room, user, role: "reader" });
    assertRefused(await ann.ask("send message", { room, msg: "x" }), "read_only");
    assertOk(await root.ask("invite", { room, user, role: "member" }));
    await barrier(ann, room, root);
  });

  test("a room that matches no pattern cannot be joined", async (t) => {
    const room = unique("other");
    const ann = await joinAsUser(t, clientType, server, "ann");
    assertRefused(await ann.ask("join", room), "room_forbidden");
    assertRefused(await ann.ask("join", { room, since: 0 }), "room_forbidden");
    assertRefused(await ann.ask("send message", { room, msg: "x" }), "not_member");
  });

  test("a private room belongs to its first member, and others need an invitation", async (t) => {
    const room = unique("private");
    const ann = await joinAsUser(t, clientType, server, "ann");
    const bob = await joinAsUser(t, clientType, server, "bob");
    assertOk(await ann.ask("join", room));
    assertRefused(await bob.ask("join", room), "room_forbidden");
    assertOk(await ann.ask("send message", { room, msg: "secret" }));
    const answer = assertOk(await ann.ask("invite", { room, user: bob.name }));
    assert.deepEqual(answer, { ok: true, room, user: bob.name, role: "member" });
    assert.deepEqual(await bob.next("membership"), {
      room,
      role: "member",
      seq: 1,
      unread: 0,
      read: 1,
      by: ann.name,
    });
    await barrier(bob, room, ann);
    assert.equal((await bob.ask("history", { room })).messages[0].msg, "secret");
  });

  test("an invitation reaches an offline user", async (t) => {
    const [room, shared] = [unique("private"), unique("room")];
    const ann = await joinAsUser(t, clientType, server, "ann", { room: shared });
    const bob = await joinAsUser(t, clientType, server, "bob", { room: shared });
    assertOk(await ann.ask("join", room));
    bob.close();
    await ann.next("user left", ({ user }) => user === bob.name);
    assertOk(await ann.ask("invite", { room, user: bob.name, role: "reader" }));
    const back = await connectWithToken(t, clientType, server, bob.token);
    assert.equal(roomInWelcome(room, back).role, "reader");
    assertRefused(await back.ask("send message", { room, msg: "x" }), "read_only");
  });

  test("a private room without members stays closed if it has messages", async (t) => {
    const [quiet, talked] = [unique("private"), unique("private")];
    const ann = await joinAsUser(t, clientType, server, "ann");
    const bob = await joinAsUser(t, clientType, server, "bob");
    for (const room of [quiet, talked]) assertOk(await ann.ask("join", room));
    assertOk(await ann.ask("send message", { room: talked, msg: "secret" }));
    for (const room of [quiet, talked]) assertOk(await ann.ask("leave", room));
    assertOk(await bob.ask("join", quiet));
    assertRefused(await bob.ask("join", talked), "room_forbidden");
  });

  test("only admins invite and kick", async (t) => {
    const { room, owner, admin, member, reader } = await onePerRole(t);
    const carol = await joinAsUser(t, clientType, server, "carol");
    for (const it of [member, reader]) {
      assertRefused(await it.ask("invite", { room, user: carol.name }), "forbidden");
      assertRefused(await it.ask("kick", { room, user: reader.name }), "forbidden");
    }
    assertRefused(await carol.ask("invite", { room, user: carol.name }), "not_member");
    assertOk(await admin.ask("invite", { room, user: carol.name, role: "reader" }));
    assertOk(await owner.ask("kick", { room, user: carol.name }));
  });

  test("an admin appoints members and readers, an owner any role", async (t) => {
    const { room, owner, admin } = await onePerRole(t);
    const carol = await joinAsUser(t, clientType, server, "carol");
    const user = carol.name;
    for (const role of ["admin", "owner"]) {
      assertRefused(await admin.ask("invite", { room, user, role }), "forbidden", role);
    }
    for (const [by, role] of [
      [admin, "reader"],
      [admin, "member"],
      [owner, "admin"],
      [owner, "owner"],
    ]) {
      assert.equal(assertOk(await by.ask("invite", { room, user, role })).role, role);
      const summary = await carol.next("membership");
      assert.deepEqual([summary.role, summary.by], [role, by.name]);
    }
    assertRefused(await owner.ask("invite", { room, user, role: "king" }), "bad_request");
  });

  test("admins cannot change admins and owners, and an owner can change all", async (t) => {
    const { room, owner, admin } = await onePerRole(t);
    const other = await joinAsUser(t, clientType, server, "other");
    assertOk(await owner.ask("invite", { room, user: other.name, role: "admin" }));
    for (const user of [other.name, owner.name]) {
      assertRefused(await admin.ask("kick", { room, user }), "forbidden");
      assertRefused(await admin.ask("invite", { room, user, role: "member" }), "forbidden");
    }
    assertOk(await owner.ask("invite", { room, user: other.name, role: "member" }));
    assertOk(await admin.ask("kick", { room, user: other.name }));
    assertOk(await owner.ask("kick", { room, user: admin.name }));
  });

  test("a kicked user is removed, and all members are notified", async (t) => {
    const { room, owner, member, reader } = await onePerRole(t);
    const second = await connectWithToken(t, clientType, server, member.token);
    const answer = assertOk(await owner.ask("kick", { room, user: member.name }));
    assert.deepEqual(answer, { ok: true, room, user: member.name });
    for (const it of [member, second]) {
      const end = await it.next("membership", ({ role }) => role === null);
      assert.deepEqual(end, { room, role: null, by: owner.name });
      assertRefused(await it.ask("send message", { room, msg: "x" }), "not_member");
    }
    const gone = { room, user: member.name };
    assert.deepEqual(await reader.next("user left", (it) => it.room === room), gone);
    const later = await connectWithToken(t, clientType, server, member.token);
    assert.equal(roomInWelcome(room, later), undefined);
    assertRefused(await later.ask("join", room), "room_forbidden");
    assertRefused(await owner.ask("kick", { room, user: member.name }), "no_such_user");
  });

  test("an unknown user cannot be invited", async (t) => {
    const room = unique("room");
    const ann = await joinAsUser(t, clientType, server, "ann", { room });
    assertRefused(await ann.ask("invite", { room, user: unique("unknown") }), "no_such_user");
  });

  test("a guest can be invited while online", async (t) => {
    const room = unique("room");
    const ann = await joinAsUser(t, clientType, server, "ann", { room });
    const guest = await joinAsGuest(t, clientType, server, "guest", { room: unique("room") });
    assertOk(await ann.ask("invite", { room, user: guest.name }));
    guest.close();
    await ann.next("user left", ({ user }) => user === guest.name);
    // The guest ends together with their memberships; no event reports when that is done.
    const gone = async () => {
      for (;;) {
        const answer = await ann.ask("invite", { room, user: guest.name });
        if (!answer.ok) return answer;
      }
    };
    assertRefused(await withTimeout("the end of the guest", gone()), "no_such_user");
  });

  test("a token's roles override the room's, and the highest counts", async (t) => {
    const [one, two] = [unique("room-a"), unique("room-b")];
    const ann = await joinAsUser(t, clientType, server, "ann");
    for (const room of [one, two]) assertOk(await ann.ask("join", room));
    const claims = { rooms: { "room-*": "reader", "room-a*": "admin" } };
    const bob = await joinAsUser(t, clientType, server, "bob", { claims });
    for (const room of [one, two]) assertOk(await bob.ask("join", room));
    assertRefused(await bob.ask("send message", { room: two, msg: "x" }), "read_only");
    await barrier(bob, one, ann);
    const carol = await joinAsUser(t, clientType, server, "carol", { room: one });
    assertRefused(await carol.ask("kick", { room: one, user: bob.name }), "forbidden");
    assertOk(await bob.ask("kick", { room: one, user: carol.name }));
    assertRefused(await bob.ask("join", unique("other")), "room_forbidden");
  });

  test("a role in a token opens a private room, and a list of rooms does not", async (t) => {
    const room = unique("private");
    const ann = await joinAsUser(t, clientType, server, "ann");
    assertOk(await ann.ask("join", room));
    const listed = await joinAsUser(t, clientType, server, "bob", {
      claims: { rooms: ["private-*"] },
    });
    assertRefused(await listed.ask("join", room), "room_forbidden");
    const claims = { rooms: { "private-*": "member" } };
    const named = await joinAsUser(t, clientType, server, "carol", { claims, room });
    assert.equal(roomInWelcome(room, named).role, "member");
    await barrier(named, room, ann);
  });

  test("an administrator's token is an admin's in every room", async (t) => {
    const room = unique("room");
    const ann = await joinAsUser(t, clientType, server, "ann", { room });
    const bob = await joinAsUser(t, clientType, server, "bob", { room });
    const root = await joinAsUser(t, clientType, server, "root", { room, claims: { admin: true } });
    assert.equal(roomInWelcome(room, root).role, "admin");
    assertOk(await root.ask("invite", { room, user: bob.name, role: "reader" }));
    assertOk(await root.ask("kick", { room, user: bob.name }));
    assertRefused(await root.ask("kick", { room, user: ann.name }), "forbidden");
  });

  /** One user of each role in a private room. */
  async function onePerRole(t) {
    const room = unique("private");
    const owner = await joinAsUser(t, clientType, server, "owner");
    assertOk(await owner.ask("join", room));
    const clients = { room, owner };
    for (const role of ["admin", "member", "reader"]) {
      clients[role] = await joinAsUser(t, clientType, server, role);
      assertOk(await owner.ask("invite", { room, user: clients[role].name, role }));
      await clients[role].next("membership");
    }
    return clients;
  }
}
