// Editing and deleting messages: live, in history and after reconnecting. docs/protocol.md "Client
// to server".

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk, assertRecentTime, assertRefused } from "../support/assert.mjs";
import { barrier, connectWithToken, joinAsUser, ownerAndMember } from "../support/fixtures.mjs";
import { unique } from "../support/unique.mjs";

/** `server` has a `token.secret`. */
export function editsAndDeletions(clientType, server) {
  test("all members receive an edit, which keeps the message's id", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    const { id } = await post(ann, room, "Helo");
    const answer = assertOk(await ann.ask("edit message", { room, seq: 1, msg: "Hello" }));
    const { at } = answer;
    assert.deepEqual(answer, { ok: true, seq: 2, at });
    assertRecentTime(at);
    const edited = { room, seq: 2, of: 1, id, user: ann.name, msg: "Hello", at };
    for (const it of [ann, bob]) assert.deepEqual(await it.next("message edited"), edited);
    const [message, edit] = await log(bob, { room });
    assert.deepEqual(message, {
      event: "new message",
      room,
      seq: 1,
      id,
      username: ann.name,
      msg: "Hello",
      at: message.at,
      editedAt: at,
    });
    assert.deepEqual(edit, { event: "message edited", ...edited });
  });

  test("all members receive a deletion, and no body is left", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    const { id, at: saidAt } = await post(ann, room, "Oops");
    const answer = assertOk(await ann.ask("delete message", { room, seq: 1 }));
    const { at } = answer;
    assert.deepEqual(answer, { ok: true, seq: 2, at });
    const gone = { room, seq: 2, of: 1, id, user: ann.name, at };
    for (const it of [ann, bob]) assert.deepEqual(await it.next("message deleted"), gone);
    const message = { event: "new message", room, seq: 1, id, username: ann.name, at: saidAt };
    for (const it of [ann, bob]) {
      const entries = [
        { ...message, deleted: true },
        { event: "message deleted", ...gone },
      ];
      assert.deepEqual(await log(it, { room }), entries);
    }
  });

  test("the last of several edits counts, and earlier edits lose their text", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    await post(ann, room, "one");
    assertOk(await ann.ask("edit message", { seq: 1, msg: "two" }));
    const last = assertOk(await ann.ask("edit message", { seq: 1, msg: { three: 3 } }));
    const received = await bob.collect("message edited", 2);
    assert.deepEqual(
      received.map(({ seq, msg }) => [seq, msg]),
      [
        [2, "two"],
        [3, { three: 3 }],
      ],
    );
    const entries = await log(bob, { room });
    const three = { three: 3 };
    assert.deepEqual(
      entries.map(({ msg }) => msg),
      [three, undefined, three],
    );
    for (const it of entries) assert.ok(!("deleted" in it));
    assert.equal(entries[0].editedAt, last.at);
  });

  test("after a deletion the earlier edits have no text either", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    await post(ann, room, "secret");
    assertOk(await ann.ask("edit message", { room, seq: 1, msg: "the secret" }));
    assertOk(await ann.ask("delete message", { seq: 1 }));
    const entries = await log(bob, { room });
    assert.deepEqual(
      entries.map(({ event, deleted = false }) => [event, deleted]),
      [
        ["new message", true],
        ["message edited", false],
        ["message deleted", false],
      ],
    );
    assert.doesNotMatch(JSON.stringify(entries), /secret/);
  });

  test("a reconnecting client receives the changes, and messages in their current form", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    const ids = [await post(ann, room, "Helo"), await post(bob, room, "hi")].map(({ id }) => id);
    bob.close();
    assertOk(await ann.ask("edit message", { room, seq: 1, msg: "Hello" }));
    ids.push((await post(ann, room, "Oops")).id);
    assertOk(await ann.ask("delete message", { room, seq: 4 }));
    const back = await connectWithToken(t, clientType, server, bob.token, {
      room,
      since: { [room]: 2 },
    });
    const { messages, recovered, more } = await back.next("missed", (it) => it.room === room);
    assert.deepEqual([recovered, more], [true, false]);
    const user = ann.name;
    assert.deepEqual(
      messages.map(({ at, room: _, ...it }) => it),
      [
        { event: "message edited", seq: 3, of: 1, id: ids[0], user, msg: "Hello" },
        { event: "new message", seq: 4, id: ids[2], username: user, deleted: true },
        { event: "message deleted", seq: 5, of: 4, id: ids[2], user },
      ],
    );
  });

  test("only the author edits, and a room's admins delete", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    const root = await joinAsUser(t, clientType, server, "root", { room, claims: { admin: true } });
    const carol = await joinAsUser(t, clientType, server, "carol", { room });
    for (const text of ["one", "two", "three"]) await post(bob, room, text);
    for (const it of [ann, root, carol]) {
      assertRefused(await it.ask("edit message", { room, seq: 1, msg: "x" }), "forbidden");
    }
    assertRefused(await carol.ask("delete message", { room, seq: 1 }), "forbidden");
    for (const [it, seq] of [
      [ann, 1],
      [root, 2],
      [bob, 3],
    ]) {
      assertOk(await it.ask("delete message", { room, seq }));
      const { of, user } = await carol.next("message deleted");
      assert.deepEqual([of, user], [seq, it.name]);
    }
  });

  test("a repeated deletion is acknowledged with the first one", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    const { id } = await post(bob, room, "Oops");
    const first = assertOk(await bob.ask("delete message", { room, seq: 1 }));
    for (const it of [bob, ann]) {
      const again = assertOk(await it.ask("delete message", { room, seq: 1 }));
      assert.deepEqual(again, { ...first, duplicate: true });
    }
    const same = assertOk(await bob.ask("send message", { room, msg: "Oops", id }));
    assert.deepEqual([same.duplicate, same.seq], [true, 1]);
    await barrier(ann, room, bob);
    for (const it of [ann, bob]) assert.equal(it.take("message deleted").length, 1);
  });

  test("the id of a changed message is a duplicate, whatever the body", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    const [edited, deleted] = [await post(ann, room, "Helo"), await post(ann, room, "Oops")];
    assertOk(await ann.ask("edit message", { room, seq: 1, msg: "Hello" }));
    assertOk(await ann.ask("delete message", { room, seq: 2 }));
    for (const [{ id }, seq] of [
      [edited, 1],
      [deleted, 2],
    ]) {
      for (const msg of ["Helo", "Hello", "Oops", "something else"]) {
        const again = assertOk(await ann.ask("send message", { room, msg, id }));
        assert.deepEqual([again.duplicate, again.seq], [true, seq], msg);
      }
    }
    bob.take("new message");
    assert.equal((await barrier(ann, room, bob)).seq, 5);
    assert.deepEqual(bob.take("new message"), []);
  });

  test("only existing messages can be changed", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    await post(ann, room, "one");
    assertOk(await ann.ask("edit message", { room, seq: 1, msg: "two" }));
    assertOk(await ann.ask("delete message", { room, seq: 1 }));
    for (const seq of [0, 1, 2, 3, 4]) {
      assertRefused(await ann.ask("edit message", { room, seq, msg: "x" }), "no_such_message");
    }
    for (const seq of [0, 2, 3, 4]) {
      assertRefused(await ann.ask("delete message", { room, seq }), "no_such_message");
    }
    assertRefused(
      await ann.ask("edit message", { with: bob.name, seq: 1, msg: "x" }),
      "no_such_message",
    );
    assertRefused(await ann.ask("delete message", { with: bob.name, seq: 1 }), "no_such_message");
  });

  test("the request needs membership and a valid form", async (t) => {
    const { room, ann } = await ownerAndMember(t, clientType, server);
    const other = unique("room");
    await post(ann, room, "one");
    assertRefused(await ann.ask("edit message", { room: other, seq: 1, msg: "x" }), "not_member");
    assertRefused(await ann.ask("delete message", { room: other, seq: 1 }), "not_member");
    for (const msg of [null, "", " \n"]) {
      assertRefused(await ann.ask("edit message", { room, seq: 1, msg }), "message_empty");
    }
    const two = { room, with: "x", seq: 1 };
    for (const place of [{ room }, { room, seq: -1 }, { room, seq: "1" }, two]) {
      assertRefused(await ann.ask("edit message", { ...place, msg: "x" }), "bad_request");
      assertRefused(await ann.ask("delete message", place), "bad_request");
    }
  });

  test("a client that does not receive its own `GroupChat` does not receive its changes", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    const { id } = assertOk(await ann.ask("GroupChat", { room, data: "Helo" }));
    assertOk(await ann.ask("edit message", { room, seq: 1, msg: "Hello" }));
    const edited = await bob.next("message edited");
    assert.deepEqual([edited.of, edited.id, edited.msg], [1, id, "Hello"]);
    assert.equal((await log(bob, { room }))[0].data, "Hello");
    assertOk(await ann.ask("delete message", { room, seq: 1 }));
    assert.equal((await bob.next("message deleted")).of, 1);
    const [{ event, data, deleted }] = await log(bob, { room });
    assert.deepEqual([event, data, deleted], ["GroupChat", undefined, true]);
    await barrier(bob, room, ann);
    assert.deepEqual([...ann.take("message edited"), ...ann.take("message deleted")], []);
  });

  test("changes of direct messages reach all other connections of both users", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    const others = [bob];
    for (const it of [ann, bob])
      others.push(await connectWithToken(t, clientType, server, it.token, { room }));
    const to = bob.name;
    const { id } = assertOk(await ann.ask("SingleChat", { to, data: "Helo" }));
    const theirs = { with: ann.name, seq: 1 };
    assertRefused(await bob.ask("edit message", { ...theirs, msg: "x" }), "forbidden");
    assertRefused(await bob.ask("delete message", theirs), "forbidden");
    const place = { with: bob.name, seq: 1 };
    const edit = assertOk(await ann.ask("edit message", { ...place, msg: "Hello" }));
    const gone = assertOk(await ann.ask("delete message", place));
    const change = { to, of: 1, id, user: ann.name };
    for (const it of others) {
      const edited = { ...change, seq: 2, msg: "Hello", at: edit.at };
      assert.deepEqual(await it.next("message edited"), edited);
      assert.deepEqual(await it.next("message deleted"), { ...change, seq: 3, at: gone.at });
      assert.doesNotMatch(JSON.stringify(await log(it, peer(it, ann, bob))), /Hel/);
    }
    await barrier(bob, room, ann);
    assert.deepEqual([...ann.take("message edited"), ...ann.take("message deleted")], []);
  });
}

/** How requests of `client` name the conversation of these two users. */
function peer(client, one, other) {
  return { with: client.name === one.name ? other.name : one.name };
}

async function post(client, room, msg) {
  return assertOk(await client.ask("send message", { room, msg }));
}

async function log(client, place) {
  return assertOk(await client.ask("history", place)).messages;
}
