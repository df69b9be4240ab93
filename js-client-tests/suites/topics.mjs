// `topic`: one line that says what a room is about. docs/protocol.md "Client to server".

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk, assertRecentTime, assertRefused } from "../support/assert.mjs";
import { connectWithToken, joinAsUser, ownerAndMember, readMissed } from "../support/fixtures.mjs";
import { unique } from "../support/unique.mjs";
import { roomInWelcome } from "./memberships.mjs";

/** `server` has the settings `ROOM_SETTINGS` of ./memberships.mjs. */
export function topics(clientType, server) {
  test("everybody in the room is told of a topic, once", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    const topic = clientType.text("Plans für Mai 👩🏽‍🚀 שלום");
    const answer = assertOk(await ann.ask("topic", { room, topic: `  ${topic}\n` }));
    assert.deepEqual(answer, { ok: true, room, topic });
    assert.deepEqual(assertOk(await ann.ask("topic", { room, topic })), answer);
    assertOk(await ann.ask("topic", { room, topic: "" }));
    for (const client of [ann, bob]) {
      const { id, at, ...told } = await client.next("topic");
      assert.deepEqual(told, { room, seq: 1, user: ann.name, topic });
      assert.ok(id);
      assertRecentTime(at);
      const removed = await client.next("topic");
      assert.deepEqual([removed.topic, removed.seq], ["", 2]);
    }
    const { messages } = assertOk(await bob.ask("history", { room }));
    assert.deepEqual(
      messages.map((it) => [it.event, it.topic]),
      [
        ["topic", topic],
        ["topic", ""],
      ],
    );
  });

  test("a topic is for admins, and one line of up to 250 characters", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    const eve = await joinAsUser(t, clientType, server, "eve");
    const root = await joinAsUser(t, clientType, server, "root", { room, claims: { admin: true } });
    assertRefused(await bob.ask("topic", { room, topic: "mine" }), "forbidden");
    assertRefused(await eve.ask("topic", { room, topic: "mine" }), "not_member");
    for (const topic of ["a\nb", "a\u0007b", "a\u202eb", "x".repeat(251), null, 7]) {
      assertRefused(await ann.ask("topic", { room, topic }), "bad_request");
    }
    for (const data of [{ room }, "topic", { with: bob.name, topic: "x" }]) {
      assertRefused(await ann.ask("topic", data), "bad_request");
    }
    assertRefused(await ann.ask("topic", { room: "a\nb", topic: "x" }), "room_invalid");
    assert.equal(assertOk(await ann.ask("join", room)).topic, undefined);
    const longest = "x".repeat(250);
    assert.equal(assertOk(await root.ask("topic", { room, topic: longest })).topic, longest);
    assert.equal((await bob.next("topic")).user, root.name);
  });

  test("who comes, comes back or looks for rooms sees the present topic", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    bob.close();
    const word = unique("word");
    assertOk(await ann.ask("topic", { room, topic: "Ideas" }));
    assertOk(await ann.ask("send message", { room, msg: "hi" }));
    assertOk(await ann.ask("topic", { room, topic: `About ${word}` }));
    const since = { [room]: 0 };
    const back = await connectWithToken(t, clientType, server, bob.token, { since });
    const { topic, unread } = roomInWelcome(room, back);
    assert.deepEqual([topic, unread], [`About ${word}`, 1], "a topic is not unread");
    const messages = await readMissed(back);
    assert.deepEqual(
      messages.map((it) => it.topic ?? it.msg),
      ["Ideas", "hi", `About ${word}`],
    );
    const carl = await joinAsUser(t, clientType, server, "carl");
    const [found, ...others] = assertOk(await carl.ask("rooms", { query: word })).rooms;
    assert.deepEqual([found.room, found.topic, others], [room, `About ${word}`, []]);
    assert.equal(assertOk(await carl.ask("join", room)).topic, `About ${word}`);
    assertOk(await ann.ask("invite", { room, user: carl.name, role: "admin" }));
    const promoted = await carl.next("membership", (it) => it.room === room);
    assert.deepEqual([promoted.role, promoted.topic], ["admin", `About ${word}`]);
  });
}
