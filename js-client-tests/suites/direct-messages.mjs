// Direct messages: `SingleChat`, and their history. docs/protocol.md "Client to server".

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  assertConsecutive,
  assertOk,
  assertRecentTime,
  assertRefused,
} from "../support/assert.mjs";
import {
  barrier,
  connectWithToken,
  joinAsGuest,
  joinAsUser,
  userOnTwoDevices,
} from "../support/fixtures.mjs";
import { unique } from "../support/unique.mjs";

/** `server` has a short `presence_grace_ms` and a `token.secret`. */
export function directMessages(clientType, server) {
  test("all other connections of both users receive it, and no others", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const ann2 = await connectWithToken(t, clientType, server, ann.token, { room });
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    const bob2 = await connectWithToken(t, clientType, server, bob.token, { room });
    const carol = await joinAsGuest(t, clientType, server, "carol", { room });
    const answer = assertOk(await ann.ask("SingleChat", { to: bob.name, data: "psst" }));
    assertRecentTime(answer.at);
    const { id, at } = answer;
    assert.deepEqual(answer, { ok: true, id, to: bob.name, seq: 1, at, online: true });
    const expected = { to: bob.name, seq: 1, id, user: ann.name, data: "psst", at };
    for (const it of [bob, bob2, ann2]) assert.deepEqual(await it.next("SingleChat"), expected);
    await barrier(bob, room, ann, carol);
    assert.deepEqual(ann.take("SingleChat"), []);
    assert.deepEqual(carol.take("SingleChat"), []);
  });

  test("two users share one conversation, which no other user can read", async (t) => {
    const ann = await joinAsGuest(t, clientType, server, "ann");
    const bob = await joinAsGuest(t, clientType, server, "bob");
    const carol = await joinAsGuest(t, clientType, server, "carol");
    const one = assertOk(await ann.ask("SingleChat", { to: bob.name, data: "one" }));
    const two = assertOk(await bob.ask("SingleChat", { to: ann.name, data: "two" }));
    assertOk(await ann.ask("SingleChat", { to: carol.name, data: "other" }));
    assert.deepEqual([one.seq, two.seq], [1, 2]);
    const seen = assertOk(await ann.ask("history", { with: bob.name }));
    const sent = (user, to, { seq, id, at }, data) => ({
      event: "SingleChat",
      to: to.name,
      seq,
      id,
      user: user.name,
      data,
      at,
    });
    assert.deepEqual(seen.messages, [sent(ann, bob, one, "one"), sent(bob, ann, two, "two")]);
    assert.deepEqual(await bob.ask("history", { with: ann.name }), seen);
    const others = assertOk(await carol.ask("history", { with: bob.name }));
    assert.deepEqual(others.messages, []);
  });

  test("an offline user finds the message in history", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    bob.close();
    await ann.next("user left", ({ user }) => user === bob.name);
    const answer = assertOk(await ann.ask("SingleChat", { to: bob.name, data: "later" }));
    assert.equal(answer.online, false);
    const back = await connectWithToken(t, clientType, server, bob.token, { room });
    const { messages, more } = assertOk(await back.ask("history", { with: ann.name, after: 0 }));
    assert.deepEqual([messages.map(({ data }) => data), more], [["later"], false]);
  });

  test("a repeated id gets the first acknowledgement again", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    const message = { to: bob.name, data: "once", id: unique("id") };
    const first = assertOk(await ann.ask("SingleChat", message));
    const again = assertOk(await ann.ask("SingleChat", message));
    assert.deepEqual([again.duplicate, again.seq, again.at], [true, first.seq, first.at]);
    assertRefused(await ann.ask("SingleChat", { ...message, data: "twice" }), "conflict");
    await barrier(ann, room, bob);
    assert.equal(bob.take("SingleChat").length, 1);
  });

  test("a message to an unknown user is refused", async (t) => {
    const ann = await joinAsGuest(t, clientType, server, "ann");
    const to = unique("unknown");
    assertRefused(await ann.ask("SingleChat", { to, data: "x" }), "no_such_user");
  });

  test("bodies follow the same rules as in rooms", async (t) => {
    const ann = await joinAsGuest(t, clientType, server, "ann");
    const bob = await joinAsGuest(t, clientType, server, "bob");
    const bodies = ["text", 0, false, [1, null], { a: { b: [] } }];
    for (const data of bodies) assertOk(await ann.ask("SingleChat", { to: bob.name, data }));
    const received = await bob.collect("SingleChat", bodies.length);
    assert.deepEqual(
      received.map(({ data }) => data),
      bodies,
    );
    for (const data of [null, "", "  \n"]) {
      assertRefused(await ann.ask("SingleChat", { to: bob.name, data }), "message_empty");
    }
  });

  test("messages are kept for an offline user, and `welcome` has the counters", async (t) => {
    const room = unique("room");
    const ann = await joinAsUser(t, clientType, server, "ann", { room });
    const bob = await joinAsUser(t, clientType, server, "bob", { room });
    const carol = await joinAsUser(t, clientType, server, "carol");
    assert.deepEqual(bob.welcome.directs, []);
    bob.close();
    await ann.next("user left", ({ user }) => user === bob.name);
    for (const [it, data] of [
      [ann, "one"],
      [carol, "two"],
      [ann, "three"],
    ]) {
      assert.equal(assertOk(await it.ask("SingleChat", { to: bob.name, data })).online, false);
    }
    const { welcome } = await connectWithToken(t, clientType, server, bob.token);
    assert.deepEqual(
      byName(welcome.directs),
      byName([
        { with: ann.name, seq: 2, unread: 2, read: 0 },
        { with: carol.name, seq: 1, unread: 1, read: 0 },
      ]),
    );
    const sent = (await connectWithToken(t, clientType, server, ann.token)).welcome.directs;
    assert.deepEqual(sent, [{ with: bob.name, seq: 2, unread: 0, read: 2 }]);
  });

  test("all devices of both users stay in sync", async (t) => {
    const [ann, ann2] = await userOnTwoDevices(t, clientType, server, "ann");
    const [bob, bob2] = await userOnTwoDevices(t, clientType, server, "bob");
    const all = [ann, ann2, bob, bob2];
    for (const [at, sender] of all.entries()) {
      const to = at < 2 ? bob.name : ann.name;
      const { id, seq } = assertOk(await sender.ask("SingleChat", { to, data: at }));
      for (const it of all.filter((it) => it !== sender)) {
        const received = await it.next("SingleChat");
        assert.deepEqual(
          [received.id, received.seq, received.data, received.to],
          [id, seq, at, to],
        );
      }
      assert.deepEqual(sender.take("SingleChat"), []);
    }
    const pages = [];
    for (const it of all) {
      const other = it.name === ann.name ? bob : ann;
      pages.push(assertOk(await it.ask("history", { with: other.name })).messages);
    }
    assert.deepEqual(
      pages[0].map(({ data }) => data),
      [0, 1, 2, 3],
    );
    assertConsecutive(pages[0]);
    for (const page of pages) assert.deepEqual(page, pages[0]);
  });
}

/** Conversations sorted by name. */
function byName(directs) {
  return [...directs].sort((a, b) => (a.with < b.with ? -1 : 1));
}
