// Lists that users page through: `members` of a room, and the directory `rooms`. docs/protocol.md
// "Client to server".

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk, assertRecentTime, assertRefused } from "../support/assert.mjs";
import { connect, joinAsUser, ownerAndMember } from "../support/fixtures.mjs";
import { unique } from "../support/unique.mjs";
import { waitUntil } from "../support/wait-until.mjs";

/** `server` has the settings `ROOM_SETTINGS`. */
export function memberList(clientType, server) {
  const join = (t, base, options) => joinAsUser(t, clientType, server, base, options);

  test("members are listed with their roles, online and away", async (t) => {
    const room = unique("room");
    const ann = await join(t, "ann", { room });
    const bob = await join(t, "bob", { room });
    const role = "reader";
    assertOk(await ann.ask("invite", { room, user: bob.name, role }));
    await bob.next("membership", (it) => it.room === room && it.role === role);
    bob.close();
    await waitUntil("a member is away", async () => {
      const { members } = assertOk(await ann.ask("members", { room, query: bob.name }));
      return !members[0].online;
    });
    const { members, ...page } = assertOk(await ann.ask("members", { room }));
    assert.deepEqual(page, { ok: true, room, total: 2 });
    for (const it of members) assertRecentTime(it.lastSeen);
    assert.deepEqual(
      members.map(({ lastSeen: _, ...it }) => it),
      [
        { user: ann.name, role: "owner", online: true },
        { user: bob.name, role, online: false },
      ],
    );
    const ofDefaultRoom = assertOk(await ann.ask("members"));
    assert.deepEqual([ofDefaultRoom.room, ofDefaultRoom.total], [room, 2]);
  });

  test("pages have every member once, in the order of names", async (t) => {
    const { room, ann } = await ownerAndMember(t, clientType, server);
    for (const base of ["carl", "dora", "emil"]) await join(t, base, { room });
    const all = assertOk(await ann.ask("members", { room })).members.map(({ user }) => user);
    assert.deepEqual(all, [...all].sort());
    assert.equal(all.length, 5);
    for (const limit of [1, 2, 5]) {
      const users = [];
      let pages = 0;
      for (let at = {}; at.cursor !== undefined || pages === 0; pages += 1) {
        const page = assertOk(await ann.ask("members", { room, limit, ...at }));
        assert.equal(page.total, 5);
        users.push(...page.members.map(({ user }) => user));
        at = page.next === undefined ? {} : { cursor: page.next };
      }
      assert.deepEqual(users, all);
      assert.equal(pages, Math.ceil(5 / limit));
    }
  });

  test("a query matches the beginning of any word, in any case", async (t) => {
    const room = unique("room");
    const ann = await join(t, "Ann of Sales", { room });
    const bob = await join(t, "bob.sales", { room });
    await join(t, "Carl Wholesales", { room });
    const dora = await join(t, "dora", { room, claims: { name: "Head of Sales" } });
    const find = async (query) => {
      const { members, total } = assertOk(await ann.ask("members", { room, query }));
      assert.equal(total, 4);
      return members.map(({ user }) => user);
    };
    assert.deepEqual(await find("SAL"), [ann.name, bob.name, dora.name], "of both names");
    assert.deepEqual(await find(" ann of s"), [ann.name]);
    assert.deepEqual(await find("nobody"), []);
    const [head] = assertOk(await ann.ask("members", { room, query: "head" })).members;
    assert.deepEqual([head.user, head.name], [dora.name, "Head of Sales"]);
    const first = assertOk(await ann.ask("members", { room, query: "sales", limit: 1 }));
    assert.deepEqual([first.members.length, first.next], [1, ann.name]);
    const { members } = assertOk(
      await ann.ask("members", { room, query: "sales", limit: 1, cursor: first.next }),
    );
    assert.equal(members[0].user, bob.name);
  });

  test("it is for members, readers included, and needs a valid form", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    const reader = { room, user: bob.name, role: "reader" };
    assertOk(await ann.ask("invite", reader));
    await bob.next("membership", (it) => it.room === room && it.role === "reader");
    assert.equal(assertOk(await bob.ask("members", { room })).total, 2);
    const other = await join(t, "other");
    assertRefused(await other.ask("members", { room }), "not_member");
    const anonymous = await connect(t, clientType, server);
    assertRefused(await anonymous.ask("members", { room }), "not_identified");
    for (const data of [
      { limit: 0 },
      { query: "" },
      { query: "x".repeat(65) },
      { cursor: "" },
      room,
    ]) {
      assertRefused(await ann.ask("members", data), "bad_request", JSON.stringify(data));
    }
    assertOk(await ann.ask("kick", { room, user: bob.name }));
    await bob.next("membership", (it) => it.room === room && it.role === null);
    assertRefused(await bob.ask("members", { room }), "not_member");
  });
}

/** `server` has the settings `ROOM_SETTINGS`. */
export function roomDirectory(clientType, server) {
  const join = (t, base, options) => joinAsUser(t, clientType, server, base, options);

  test("public rooms are listed, private ones for members only", async (t) => {
    const mark = unique("mark");
    const ann = await join(t, "ann");
    const bob = await join(t, "bob");
    const [open, secret] = [`room-${mark}`, `private-${mark}`];
    for (const room of [open, secret]) assertOk(await ann.ask("join", { room }));
    const read = async (client) => assertOk(await client.ask("rooms", { query: mark })).rooms;
    await waitUntil("ann is online in her room", async () => (await read(bob))[0].online === 1);
    const find = async (client) => (await read(client)).map(({ online: _, ...room }) => room);
    const about = (room, members, joined) => ({ room, members, joined });
    assert.deepEqual(await find(ann), [about(secret, 1, true), about(open, 1, true)]);
    assert.deepEqual(await find(bob), [about(open, 1, false)]);
    assertOk(await ann.ask("invite", { room: secret, user: bob.name }));
    await bob.next("membership", (it) => it.room === secret);
    assertOk(await bob.ask("join", { room: open }));
    assert.deepEqual(await find(bob), [about(secret, 2, true), about(open, 2, true)]);
    assertOk(await bob.ask("leave", { room: secret }));
    assert.deepEqual(await find(bob), [about(open, 2, true)]);
    assertOk(await ann.ask("leave", { room: open }));
    assert.deepEqual(await find(ann), [about(secret, 1, true), about(open, 1, false)]);
  });

  test("a token that opens some rooms finds those alone", async (t) => {
    const mark = unique("mark");
    const ann = await join(t, "ann");
    for (const base of ["room-a", "room-b"]) {
      assertOk(await ann.ask("join", { room: `${base}-${mark}` }));
    }
    const rooms = ["lobby", `room-b-${mark}`];
    const bob = await join(t, "bob", { claims: { rooms } });
    const found = assertOk(await bob.ask("rooms", { query: mark })).rooms;
    assert.deepEqual(
      found.map(({ room, joined }) => [room, joined]),
      [[`room-b-${mark}`, false]],
    );
  });

  test("pages have every room once, and name no room that is not listed", async (t) => {
    const mark = unique("mark");
    const ann = await join(t, "ann");
    const bob = await join(t, "bob");
    const names = ["room-1", "private-1", "room-2", "private-2", "room-3"].map(
      (it) => `${it} ${mark}`,
    );
    for (const room of names) assertOk(await ann.ask("join", { room }));
    const expected = names.filter((it) => it.startsWith("room"));
    for (const limit of [1, 2, 3]) {
      const found = [];
      for (let at = {}; ; ) {
        const page = assertOk(await bob.ask("rooms", { query: mark, limit, ...at }));
        assert.ok(page.rooms.length <= limit);
        found.push(...page.rooms.map(({ room }) => room));
        assert.ok(!page.next?.startsWith("private"), page.next);
        if (page.next === undefined) break;
        at = { cursor: page.next };
      }
      assert.deepEqual(found, expected);
    }
  });

  test("it needs a user and a valid form", async (t) => {
    const ann = await join(t, "ann");
    for (const data of [{ limit: 0 }, { query: " " }, { cursor: "" }, { room: "x" }, "x"]) {
      assertRefused(await ann.ask("rooms", data), "bad_request", JSON.stringify(data));
    }
    const anonymous = await connect(t, clientType, server);
    assertRefused(await anonymous.ask("rooms", {}), "not_identified");
  });
}
