// Unread counts, read positions and read receipts. docs/protocol.md "Members".

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk, assertRefused } from "../support/assert.mjs";
import { barrier, connectWithToken, joinAsUser, ownerAndMember } from "../support/fixtures.mjs";
import { unique } from "../support/unique.mjs";
import { roomInWelcome } from "./memberships.mjs";

/** `server` has a `token.secret`. */
export function readReceipts(clientType, server) {
  test("messages count as unread; deleted ones, edits and deletions do not", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    await post(ann, room, "one", "two", "three");
    assertOk(await ann.ask("edit message", { room, seq: 1, msg: "ONE" }));
    assertOk(await ann.ask("delete message", { room, seq: 3 }));
    const later = await connectWithToken(t, clientType, server, bob.token);
    assert.deepEqual(roomInWelcome(room, later), {
      room,
      seq: 5,
      unread: 2,
      read: 0,
      role: "member",
    });
    assert.deepEqual(await bob.ask("read", { room, seq: 1 }), { ok: true, seq: 1, unread: 1 });
    assert.deepEqual(await bob.ask("read", { room, seq: 2 }), { ok: true, seq: 2, unread: 0 });
    assert.deepEqual(await bob.ask("read", { room, seq: 5 }), { ok: true, seq: 5, unread: 0 });
  });

  test("the read position moves only forward, up to the last entry", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    await post(ann, room, "one", "two", "three");
    for (const [seq, reached, unread] of [
      [2, 2, 1],
      [1, 2, 1],
      [0, 2, 1],
      [2, 2, 1],
      [99, 3, 0],
    ]) {
      const answer = await bob.ask("read", { room, seq });
      assert.deepEqual(answer, { ok: true, seq: reached, unread }, `read of ${seq}`);
    }
    await post(ann, room, "four");
    const later = await connectWithToken(t, clientType, server, bob.token);
    assert.deepEqual(roomInWelcome(room, later), {
      room,
      seq: 4,
      unread: 1,
      read: 3,
      role: "member",
    });
  });

  test("the user's other devices receive the unread count, other members the position", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    const second = await connectWithToken(t, clientType, server, bob.token, {
      device: unique("device"),
    });
    await post(ann, room, "one", "two");
    assertOk(await bob.ask("read", { room, seq: 1 }));
    const read = { room, user: bob.name, seq: 1 };
    assert.deepEqual(await second.next("read", by(bob)), { ...read, unread: 1 });
    assert.deepEqual(await ann.next("read", by(bob)), read);
    await barrier(ann, room, bob);
    assert.deepEqual(bob.take("read").filter(by(bob)), []);
  });

  test("a reply reads what was unread before it, for other devices and members", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    const second = await connectWithToken(t, clientType, server, bob.token, {
      device: unique("device"),
    });
    await post(ann, room, "one", "two");
    await post(bob, room, "three");
    const read = { room, user: bob.name, seq: 3 };
    assert.deepEqual(await second.next("read", by(bob)), { ...read, unread: 0 });
    assert.deepEqual(await ann.next("read", by(bob)), read);
    await post(bob, room, "four");
    await barrier(second, room, bob);
    assert.deepEqual(second.take("read").filter(by(bob)), [], "nothing was unread");
  });

  test("of several quick receipts the furthest is delivered, and none goes back", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    await post(ann, room, "one", "two", "three", "four");
    for (const seq of [1, 3, 2, 4]) assertOk(await bob.ask("read", { room, seq }));
    const received = [];
    while (received.at(-1) !== 4) received.push((await ann.next("read", by(bob))).seq);
    assert.deepEqual(received, [...new Set(received)].sort());
  });

  test("a receipt without progress is not delivered", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    const second = await connectWithToken(t, clientType, server, bob.token);
    await post(ann, room, "one", "two");
    for (const seq of [1, 1, 0, 2]) assertOk(await bob.ask("read", { room, seq }));
    const received = [await second.next("read", by(bob)), await second.next("read", by(bob))];
    assert.deepEqual(
      received.map(({ seq, unread }) => [seq, unread]),
      [
        [1, 1],
        [2, 0],
      ],
    );
  });

  test("sending a message marks the room as read, on all devices", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    await post(ann, room, "one", "two");
    await post(bob, room, "three");
    await post(ann, room, "four");
    const later = await connectWithToken(t, clientType, server, bob.token);
    assert.deepEqual(roomInWelcome(room, later), {
      room,
      seq: 4,
      unread: 1,
      read: 3,
      role: "member",
    });
    assert.deepEqual(await bob.ask("read", { seq: 1 }), { ok: true, seq: 3, unread: 1 });
  });

  test("a direct conversation has a read position for each user", async (t) => {
    const { ann, bob } = await ownerAndMember(t, clientType, server);
    const [ann2, bob2] = [
      await connectWithToken(t, clientType, server, ann.token),
      await connectWithToken(t, clientType, server, bob.token),
    ];
    for (const data of ["one", "two"]) {
      assertOk(await ann.ask("SingleChat", { to: bob.name, data }));
    }
    const answer = await bob.ask("read", { with: ann.name, seq: 1 });
    assert.deepEqual(answer, { ok: true, seq: 1, unread: 1 });
    const read = { user: bob.name, seq: 1 };
    assert.deepEqual(await bob2.next("read", by(bob)), { with: ann.name, ...read, unread: 1 });
    for (const it of [ann, ann2]) {
      assert.deepEqual(await it.next("read", by(bob)), { with: bob.name, ...read });
    }
    const later = [
      await connectWithToken(t, clientType, server, ann.token),
      await connectWithToken(t, clientType, server, bob.token),
    ];
    assert.deepEqual(
      later.map(({ welcome }) => welcome.directs),
      [
        [{ with: bob.name, seq: 2, unread: 0, read: 2 }],
        [{ with: ann.name, seq: 2, unread: 1, read: 1 }],
      ],
    );
  });

  test("muting a room reaches the user's other devices, and hides nothing", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    const second = await connectWithToken(t, clientType, server, bob.token);
    await post(ann, room, "one");
    const summary = { room, role: "member", seq: 1, unread: 1, read: 0 };
    const inRoom = (it) => it.room === room;
    for (const muted of [true, false]) {
      assert.deepEqual(await bob.ask("mute", { room, muted }), { ok: true, muted });
      const { muted: received = false, ...rest } = await second.next("membership", inRoom);
      assert.deepEqual([received, rest], [muted, summary]);
    }
    assertOk(await bob.ask("mute", { muted: true }));
    await barrier(ann, room, bob, second);
    const later = await connectWithToken(t, clientType, server, bob.token);
    assert.equal(roomInWelcome(room, later).muted, true);
    const others = [...ann.take("membership"), ...bob.take("membership")];
    assert.deepEqual(others.filter(inRoom), []);
  });

  test("a direct conversation and the inbox can be muted", async (t) => {
    const { ann, bob } = await ownerAndMember(t, clientType, server);
    const root = await joinAsUser(t, clientType, server, "root", { claims: { admin: true } });
    assertOk(await ann.ask("SingleChat", { to: bob.name, data: "one" }));
    assertOk(await root.ask("notify", { to: bob.name, data: "one" }));
    for (const place of [{ with: ann.name }, { inbox: true }]) {
      assert.deepEqual(await bob.ask("mute", { ...place, muted: true }), { ok: true, muted: true });
    }
    const { welcome } = await connectWithToken(t, clientType, server, bob.token);
    assert.deepEqual(welcome.directs, [
      { with: ann.name, seq: 1, unread: 1, read: 0, muted: true },
    ]);
    assert.deepEqual(welcome.inbox, { seq: 1, unread: 1, read: 0, muted: true });
  });

  test("both need membership, and name one conversation", async (t) => {
    const { room, bob } = await ownerAndMember(t, clientType, server);
    const other = unique("room");
    assertRefused(await bob.ask("read", { room: other, seq: 0 }), "not_member");
    assertRefused(await bob.ask("mute", { room: other, muted: true }), "not_member");
    assertRefused(await bob.ask("mute", { with: unique("unknown"), muted: true }), "not_member");
    for (const data of [
      undefined,
      null,
      1,
      [],
      "text",
      { room },
      { room, seq: -1 },
      { room, seq: 1.5 },
      { room, seq: "1" },
      { room: 1, seq: 1 },
      { room, with: bob.name, seq: 1 },
      { with: bob.name, inbox: true, seq: 1 },
      { with: 1, seq: 1 },
    ]) {
      assertRefused(await bob.ask("read", data), "bad_request", JSON.stringify(data));
    }
    for (const data of [{ room }, { room, muted: 1 }, { room, inbox: true, muted: true }]) {
      assertRefused(await bob.ask("mute", data), "bad_request", JSON.stringify(data));
    }
  });
}

/** `server` has `receipts_members_max = 1` and a `token.secret`. */
export function readReceiptsInLargeRooms(clientType, server) {
  test("in a large room only the user's own devices receive receipts", async (t) => {
    const room = unique("room");
    const ann = await joinAsUser(t, clientType, server, "ann", { room });
    const bob = await joinAsUser(t, clientType, server, "bob", { room });
    const second = await connectWithToken(t, clientType, server, bob.token);
    await post(ann, room, "one");
    assertOk(await ann.ask("SingleChat", { to: bob.name, data: "one" }));
    assertOk(await bob.ask("read", { room, seq: 1 }));
    assert.deepEqual(await second.next("read"), { room, user: bob.name, seq: 1, unread: 0 });
    assertOk(await bob.ask("read", { with: ann.name, seq: 1 }));
    assert.deepEqual(await ann.next("read"), { with: bob.name, user: bob.name, seq: 1 });
  });
}

/** Whether a receipt belongs to this user. */
function by({ name }) {
  return ({ user }) => user === name;
}

async function post(client, room, ...texts) {
  for (const msg of texts) assertOk(await client.ask("send message", { room, msg }));
}
