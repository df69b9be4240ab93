// What is not read yet, and who hears how far one has read. docs/protocol.md "Members".

import assert from "node:assert/strict";
import { test } from "node:test";

import { accepted, refused } from "../support/assert.mjs";
import { unique } from "../support/names.mjs";
import { comeBack, enrol, fence, pair } from "../support/people.mjs";
import { seatIn } from "./members.mjs";

/** `server` has a `token.secret`. */
export function reading(way, server) {
  test("messages count as unread, and edits and deletions do not", async (t) => {
    const { room, ann, bob } = await pair(t, way, server);
    await say(ann, room, "one", "two", "three");
    accepted(await ann.ask("edit message", { room, seq: 1, msg: "ONE" }));
    accepted(await ann.ask("delete message", { room, seq: 3 }));
    const later = await comeBack(t, way, server, bob.token);
    assert.deepEqual(seatIn(room, later), { room, seq: 5, unread: 3, read: 0, role: "member" });
    assert.deepEqual(await bob.ask("read", { room, seq: 2 }), { ok: true, seq: 2, unread: 1 });
    assert.deepEqual(await bob.ask("read", { room, seq: 5 }), { ok: true, seq: 5, unread: 0 });
  });

  test("reading moves forward only, and not beyond the end", async (t) => {
    const { room, ann, bob } = await pair(t, way, server);
    await say(ann, room, "one", "two", "three");
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
    await say(ann, room, "four");
    const later = await comeBack(t, way, server, bob.token);
    assert.deepEqual(seatIn(room, later), { room, seq: 4, unread: 1, read: 3, role: "member" });
  });

  test("one's other devices hear what is left, the others how far it went", async (t) => {
    const { room, ann, bob } = await pair(t, way, server);
    const second = await comeBack(t, way, server, bob.token, { device: unique("device") });
    await say(ann, room, "one", "two");
    accepted(await bob.ask("read", { room, seq: 1 }));
    const read = { room, user: bob.name, seq: 1 };
    assert.deepEqual(await second.next("read", by(bob)), { ...read, unread: 1 });
    assert.deepEqual(await ann.next("read", by(bob)), read);
    await fence(ann, room, bob);
    assert.deepEqual(bob.take("read").filter(by(bob)), []);
  });

  test("the furthest of quick receipts is heard, and none goes back", async (t) => {
    const { room, ann, bob } = await pair(t, way, server);
    await say(ann, room, "one", "two", "three", "four");
    for (const seq of [1, 3, 2, 4]) accepted(await bob.ask("read", { room, seq }));
    const heard = [];
    while (heard.at(-1) !== 4) heard.push((await ann.next("read", by(bob))).seq);
    assert.deepEqual(heard, [...new Set(heard)].sort());
  });

  test("reading what was read is no news to anybody", async (t) => {
    const { room, ann, bob } = await pair(t, way, server);
    const second = await comeBack(t, way, server, bob.token);
    await say(ann, room, "one", "two");
    for (const seq of [1, 1, 0, 2]) accepted(await bob.ask("read", { room, seq }));
    const heard = [await second.next("read", by(bob)), await second.next("read", by(bob))];
    assert.deepEqual(
      heard.map(({ seq, unread }) => [seq, unread]),
      [
        [1, 1],
        [2, 0],
      ],
    );
  });

  test("who sends has read, on all devices", async (t) => {
    const { room, ann, bob } = await pair(t, way, server);
    await say(ann, room, "one", "two");
    await say(bob, room, "three");
    await say(ann, room, "four");
    const later = await comeBack(t, way, server, bob.token);
    assert.deepEqual(seatIn(room, later), { room, seq: 4, unread: 1, read: 3, role: "member" });
    assert.deepEqual(await bob.ask("read", { seq: 1 }), { ok: true, seq: 3, unread: 1 });
  });

  test("a direct conversation is read from each side", async (t) => {
    const { ann, bob } = await pair(t, way, server);
    const [ann2, bob2] = [
      await comeBack(t, way, server, ann.token),
      await comeBack(t, way, server, bob.token),
    ];
    for (const data of ["one", "two"]) {
      accepted(await ann.ask("SingleChat", { to: bob.name, data }));
    }
    const answer = await bob.ask("read", { with: ann.name, seq: 1 });
    assert.deepEqual(answer, { ok: true, seq: 1, unread: 1 });
    const read = { user: bob.name, seq: 1 };
    assert.deepEqual(await bob2.next("read", by(bob)), { with: ann.name, ...read, unread: 1 });
    for (const it of [ann, ann2]) {
      assert.deepEqual(await it.next("read", by(bob)), { with: bob.name, ...read });
    }
    const later = [
      await comeBack(t, way, server, ann.token),
      await comeBack(t, way, server, bob.token),
    ];
    assert.deepEqual(
      later.map(({ welcome }) => welcome.directs),
      [
        [{ with: bob.name, seq: 2, unread: 0, read: 2 }],
        [{ with: ann.name, seq: 2, unread: 1, read: 1 }],
      ],
    );
  });

  test("muting a room reaches one's other devices, and hides nothing", async (t) => {
    const { room, ann, bob } = await pair(t, way, server);
    const second = await comeBack(t, way, server, bob.token);
    await say(ann, room, "one");
    const seat = { room, role: "member", seq: 1, unread: 1, read: 0 };
    const inRoom = (it) => it.room === room;
    for (const muted of [true, false]) {
      assert.deepEqual(await bob.ask("mute", { room, muted }), { ok: true, muted });
      const { muted: heard = false, ...rest } = await second.next("membership", inRoom);
      assert.deepEqual([heard, rest], [muted, seat]);
    }
    accepted(await bob.ask("mute", { muted: true }));
    await fence(ann, room, bob, second);
    const later = await comeBack(t, way, server, bob.token);
    assert.equal(seatIn(room, later).muted, true);
    const others = [...ann.take("membership"), ...bob.take("membership")];
    assert.deepEqual(others.filter(inRoom), []);
  });

  test("a direct conversation and the inbox can be muted", async (t) => {
    const { ann, bob } = await pair(t, way, server);
    const root = await enrol(t, way, server, "root", { claims: { admin: true } });
    accepted(await ann.ask("SingleChat", { to: bob.name, data: "one" }));
    accepted(await root.ask("notify", { to: bob.name, data: "one" }));
    for (const place of [{ with: ann.name }, { inbox: true }]) {
      assert.deepEqual(await bob.ask("mute", { ...place, muted: true }), { ok: true, muted: true });
    }
    const { welcome } = await comeBack(t, way, server, bob.token);
    assert.deepEqual(welcome.directs, [
      { with: ann.name, seq: 1, unread: 1, read: 0, muted: true },
    ]);
    assert.deepEqual(welcome.inbox, { seq: 1, unread: 1, read: 0, muted: true });
  });

  test("both are for members, and of one place", async (t) => {
    const { room, bob } = await pair(t, way, server);
    const other = unique("room");
    refused(await bob.ask("read", { room: other, seq: 0 }), "not_member");
    refused(await bob.ask("mute", { room: other, muted: true }), "not_member");
    refused(await bob.ask("mute", { with: unique("nobody"), muted: true }), "not_member");
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
      refused(await bob.ask("read", data), "bad_request", JSON.stringify(data));
    }
    for (const data of [{ room }, { room, muted: 1 }, { room, inbox: true, muted: true }]) {
      refused(await bob.ask("mute", data), "bad_request", JSON.stringify(data));
    }
  });
}

/** `server` has `receipts_members_max = 1` and a `token.secret`. */
export function readingInLargeRooms(way, server) {
  test("in a large room only one's own devices hear of it", async (t) => {
    const room = unique("room");
    const ann = await enrol(t, way, server, "ann", { room });
    const bob = await enrol(t, way, server, "bob", { room });
    const second = await comeBack(t, way, server, bob.token);
    await say(ann, room, "one");
    accepted(await ann.ask("SingleChat", { to: bob.name, data: "one" }));
    accepted(await bob.ask("read", { room, seq: 1 }));
    assert.deepEqual(await second.next("read"), { room, user: bob.name, seq: 1, unread: 0 });
    accepted(await bob.ask("read", { with: ann.name, seq: 1 }));
    assert.deepEqual(await ann.next("read"), { with: bob.name, user: bob.name, seq: 1 });
  });
}

/** Whether a receipt is this person's. */
function by({ name }) {
  return ({ user }) => user === name;
}

async function say(person, room, ...texts) {
  for (const msg of texts) accepted(await person.ask("send message", { room, msg }));
}
