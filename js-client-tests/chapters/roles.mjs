// What a role lets one do, and how one comes to it. docs/protocol.md "Members".

import assert from "node:assert/strict";
import { test } from "node:test";

import { accepted, refused } from "../support/assert.mjs";
import { unique } from "../support/names.mjs";
import { within } from "../support/patience.mjs";
import { comeBack, enrol, enter, fence } from "../support/people.mjs";
import { seatIn } from "./members.mjs";

/** `server` has the settings `ROOMS` of ./members.mjs. */
export function roles(way, server) {
  test("in a room that is read only, who joins is a reader", async (t) => {
    const room = unique("news");
    const ann = await enrol(t, way, server, "ann", { room });
    assert.equal(seatIn(room, ann).role, "reader");
    refused(await ann.ask("send message", { room, msg: "x" }), "read_only");
    refused(await ann.ask("GroupChat", { room, data: "x" }), "read_only");
    assert.deepEqual(accepted(await ann.ask("history", { room })).messages, []);
    const root = await enrol(t, way, server, "root", { room, claims: { admin: true } });
    await fence(root, room, ann);
  });

  test("there an invitation is one to read, unless it says more", async (t) => {
    const room = unique("news");
    const root = await enrol(t, way, server, "root", { room, claims: { admin: true } });
    const ann = await enrol(t, way, server, "ann");
    const user = ann.name;
    const first = accepted(await root.ask("invite", { room, user }));
    assert.deepEqual(first, { ok: true, room, user, role: "reader" });
    refused(await ann.ask("send message", { room, msg: "x" }), "read_only");
    accepted(await root.ask("invite", { room, user, role: "member" }));
    await fence(ann, room, root);
  });

  test("a room in no list cannot be joined", async (t) => {
    const room = unique("other");
    const ann = await enrol(t, way, server, "ann");
    refused(await ann.ask("join", room), "room_forbidden");
    refused(await ann.ask("join", { room, since: 0 }), "room_forbidden");
    refused(await ann.ask("send message", { room, msg: "x" }), "not_member");
  });

  test("a private room is its founder's, and for others by invitation", async (t) => {
    const room = unique("private");
    const ann = await enrol(t, way, server, "ann");
    const bob = await enrol(t, way, server, "bob");
    accepted(await ann.ask("join", room));
    refused(await bob.ask("join", room), "room_forbidden");
    accepted(await ann.ask("send message", { room, msg: "secret" }));
    const answer = accepted(await ann.ask("invite", { room, user: bob.name }));
    assert.deepEqual(answer, { ok: true, room, user: bob.name, role: "member" });
    assert.deepEqual(await bob.next("membership"), {
      room,
      role: "member",
      seq: 1,
      unread: 0,
      read: 1,
      by: ann.name,
    });
    await fence(bob, room, ann);
    assert.equal((await bob.ask("history", { room })).messages[0].msg, "secret");
  });

  test("an invitation reaches who is away", async (t) => {
    const [room, shared] = [unique("private"), unique("room")];
    const ann = await enrol(t, way, server, "ann", { room: shared });
    const bob = await enrol(t, way, server, "bob", { room: shared });
    accepted(await ann.ask("join", room));
    bob.close();
    await ann.next("user left", ({ user }) => user === bob.name);
    accepted(await ann.ask("invite", { room, user: bob.name, role: "reader" }));
    const back = await comeBack(t, way, server, bob.token);
    assert.equal(seatIn(room, back).role, "reader");
    refused(await back.ask("send message", { room, msg: "x" }), "read_only");
  });

  test("a private room that all have left stays shut once something was said in it", async (t) => {
    const [quiet, talked] = [unique("private"), unique("private")];
    const ann = await enrol(t, way, server, "ann");
    const bob = await enrol(t, way, server, "bob");
    for (const room of [quiet, talked]) accepted(await ann.ask("join", room));
    accepted(await ann.ask("send message", { room: talked, msg: "secret" }));
    for (const room of [quiet, talked]) accepted(await ann.ask("leave", room));
    accepted(await bob.ask("join", quiet));
    refused(await bob.ask("join", talked), "room_forbidden");
  });

  test("inviting and kicking is for admins", async (t) => {
    const { room, owner, admin, member, reader } = await company(t);
    const carol = await enrol(t, way, server, "carol");
    for (const it of [member, reader]) {
      refused(await it.ask("invite", { room, user: carol.name }), "forbidden");
      refused(await it.ask("kick", { room, user: reader.name }), "forbidden");
    }
    refused(await carol.ask("invite", { room, user: carol.name }), "not_member");
    accepted(await admin.ask("invite", { room, user: carol.name, role: "reader" }));
    accepted(await owner.ask("kick", { room, user: carol.name }));
  });

  test("an admin makes members and readers, and an owner anything", async (t) => {
    const { room, owner, admin } = await company(t);
    const carol = await enrol(t, way, server, "carol");
    const user = carol.name;
    for (const role of ["admin", "owner"]) {
      refused(await admin.ask("invite", { room, user, role }), "forbidden", role);
    }
    for (const [by, role] of [
      [admin, "reader"],
      [admin, "member"],
      [owner, "admin"],
      [owner, "owner"],
    ]) {
      assert.equal(accepted(await by.ask("invite", { room, user, role })).role, role);
      const seat = await carol.next("membership");
      assert.deepEqual([seat.role, seat.by], [role, by.name]);
    }
    refused(await owner.ask("invite", { room, user, role: "king" }), "bad_request");
  });

  test("admins do not touch their like, and an owner may touch all", async (t) => {
    const { room, owner, admin } = await company(t);
    const other = await enrol(t, way, server, "other");
    accepted(await owner.ask("invite", { room, user: other.name, role: "admin" }));
    for (const user of [other.name, owner.name]) {
      refused(await admin.ask("kick", { room, user }), "forbidden");
      refused(await admin.ask("invite", { room, user, role: "member" }), "forbidden");
    }
    accepted(await owner.ask("invite", { room, user: other.name, role: "member" }));
    accepted(await admin.ask("kick", { room, user: other.name }));
    accepted(await owner.ask("kick", { room, user: admin.name }));
  });

  test("who is kicked is out, and all hear of it", async (t) => {
    const { room, owner, member, reader } = await company(t);
    const second = await comeBack(t, way, server, member.token);
    const answer = accepted(await owner.ask("kick", { room, user: member.name }));
    assert.deepEqual(answer, { ok: true, room, user: member.name });
    for (const it of [member, second]) {
      const end = await it.next("membership", ({ role }) => role === null);
      assert.deepEqual(end, { room, role: null, by: owner.name });
      refused(await it.ask("send message", { room, msg: "x" }), "not_member");
    }
    const gone = { room, user: member.name };
    assert.deepEqual(await reader.next("user left", (it) => it.room === room), gone);
    const later = await comeBack(t, way, server, member.token);
    assert.equal(seatIn(room, later), undefined);
    refused(await later.ask("join", room), "room_forbidden");
    refused(await owner.ask("kick", { room, user: member.name }), "no_such_user");
  });

  test("nobody can be invited who is nobody", async (t) => {
    const room = unique("room");
    const ann = await enrol(t, way, server, "ann", { room });
    refused(await ann.ask("invite", { room, user: unique("nobody") }), "no_such_user");
  });

  test("a guest can be invited while they are here", async (t) => {
    const room = unique("room");
    const ann = await enrol(t, way, server, "ann", { room });
    const guest = await enter(t, way, server, "guest", { room: unique("room") });
    accepted(await ann.ask("invite", { room, user: guest.name }));
    guest.close();
    await ann.next("user left", ({ user }) => user === guest.name);
    // The guest ends with what takes them from the rooms; no event says when that is over.
    const gone = async () => {
      for (;;) {
        const answer = await ann.ask("invite", { room, user: guest.name });
        if (!answer.ok) return answer;
      }
    };
    refused(await within("the guest's end", gone()), "no_such_user");
  });

  test("a token's roles go before the room's, and the highest counts", async (t) => {
    const [one, two] = [unique("room-a"), unique("room-b")];
    const ann = await enrol(t, way, server, "ann");
    for (const room of [one, two]) accepted(await ann.ask("join", room));
    const claims = { rooms: { "room-*": "reader", "room-a*": "admin" } };
    const bob = await enrol(t, way, server, "bob", { claims });
    for (const room of [one, two]) accepted(await bob.ask("join", room));
    refused(await bob.ask("send message", { room: two, msg: "x" }), "read_only");
    await fence(bob, one, ann);
    const carol = await enrol(t, way, server, "carol", { room: one });
    refused(await carol.ask("kick", { room: one, user: bob.name }), "forbidden");
    accepted(await bob.ask("kick", { room: one, user: carol.name }));
    refused(await bob.ask("join", unique("other")), "room_forbidden");
  });

  test("a token's role opens a private room, and a list does not", async (t) => {
    const room = unique("private");
    const ann = await enrol(t, way, server, "ann");
    accepted(await ann.ask("join", room));
    const listed = await enrol(t, way, server, "bob", { claims: { rooms: ["private-*"] } });
    refused(await listed.ask("join", room), "room_forbidden");
    const claims = { rooms: { "private-*": "member" } };
    const named = await enrol(t, way, server, "carol", { claims, room });
    assert.equal(seatIn(room, named).role, "member");
    await fence(named, room, ann);
  });

  test("an administrator's token is an admin's everywhere", async (t) => {
    const room = unique("room");
    const ann = await enrol(t, way, server, "ann", { room });
    const bob = await enrol(t, way, server, "bob", { room });
    const root = await enrol(t, way, server, "root", { room, claims: { admin: true } });
    assert.equal(seatIn(room, root).role, "admin");
    accepted(await root.ask("invite", { room, user: bob.name, role: "reader" }));
    accepted(await root.ask("kick", { room, user: bob.name }));
    refused(await root.ask("kick", { room, user: ann.name }), "forbidden");
  });

  /** One of each role in a private room. */
  async function company(t) {
    const room = unique("private");
    const owner = await enrol(t, way, server, "owner");
    accepted(await owner.ask("join", room));
    const people = { room, owner };
    for (const role of ["admin", "member", "reader"]) {
      people[role] = await enrol(t, way, server, role);
      accepted(await owner.ask("invite", { room, user: people[role].name, role }));
      await people[role].next("membership");
    }
    return people;
  }
}
