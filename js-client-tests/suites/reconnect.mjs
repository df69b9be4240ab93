// Reconnecting: `since` and `missed`, no gap and no repeat. docs/protocol.md "Reconnecting".

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertConsecutive, assertOk, assertRefused } from "../support/assert.mjs";
import {
  barrier,
  connect,
  connectWithToken,
  joinAsGuest,
  joinAsUser,
  readUntilCount,
} from "../support/fixtures.mjs";
import { withTimeout } from "../support/timeouts.mjs";
import { unique } from "../support/unique.mjs";

export function reconnecting(clientType, server) {
  test("missed messages arrive before live ones", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    assertOk(await ann.ask("send message", "seen"));
    const { seq } = await bob.next("new message");
    bob.close();
    await bob.closed;
    assertOk(await ann.ask("send message", "missed"));
    assertOk(await ann.ask("GroupChat", { data: { n: 1 } }));
    const back = await connectWithToken(t, clientType, server, bob.token, {
      room,
      since: { [room]: seq },
    });
    const summary = { room, seq: 3, unread: 3, read: 0, role: "member" }; // nothing was marked as read
    assert.deepEqual(back.welcome.rooms, [summary]);
    const page = assertOk(await ann.ask("history", { after: seq }));
    assert.deepEqual(await back.next("missed"), {
      room,
      messages: page.messages,
      recovered: true,
      more: false,
    });
    assert.deepEqual(
      page.messages.map(({ event }) => event),
      ["new message", "GroupChat"],
    );
    assertOk(await ann.ask("send message", "live"));
    assert.equal((await back.next("new message")).seq, 4);
    assert.deepEqual(back.take("missed"), []);
  });

  test("all rooms in `since` are joined and recovered", async (t) => {
    const rooms = [unique("one"), unique("two:a/b#c+d~e"), unique("three")];
    const ann = await joinAsGuest(t, clientType, server, "ann");
    for (const room of rooms) {
      assertOk(await ann.ask("join", room));
      for (const it of await ann.askAll(
        "send message",
        [1, 2, 3].map((msg) => ({ room, msg })),
      ))
        assertOk(it);
    }
    const since = { [rooms[0]]: 0, [rooms[1]]: 1, [rooms[2]]: 2 };
    const bob = await connect(t, clientType, server, { since });
    await bob.identify(unique("bob"));
    const summaries = bob.welcome.rooms.map((it) => [it.room, it.role, it.unread]);
    // A new member starts with nothing unread, for any `since`.
    const expected = ["lobby", ...rooms].map((it) => [it, "member", 0]);
    assert.deepEqual(summaries.sort(), expected.sort());
    for (const [at, room] of rooms.entries()) {
      const { messages } = await bob.next("missed", (it) => it.room === room);
      assert.equal(messages.length, 3 - at);
      assertConsecutive(messages, at + 1);
      await barrier(ann, room, bob);
    }
  });

  test("joining with `since` recovers missed messages", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    for (const it of await ann.askAll("send message", ["a", "b", "c"])) assertOk(it);
    const bob = await joinAsGuest(t, clientType, server, "bob");
    const answer = assertOk(await bob.ask("join", { room, since: 1 }));
    assert.deepEqual([answer.seq, answer.count], [3, 2]);
    const { messages, recovered, more } = await bob.next("missed");
    assert.deepEqual(
      messages.map(({ msg }) => msg),
      ["b", "c"],
    );
    assert.deepEqual([recovered, more], [true, false]);
  });

  test("a client that missed nothing receives no messages", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    assertOk(await ann.ask("send message", "seen"));
    const bob = await connect(t, clientType, server, { room, since: { [room]: 1 } });
    await bob.identify(unique("bob"));
    const summary = { room, seq: 1, unread: 0, read: 1, role: "member" };
    assert.deepEqual(bob.welcome.rooms, [summary]);
    await barrier(ann, room, bob);
    for (const { messages, recovered } of bob.take("missed")) {
      assert.deepEqual([messages, recovered], [[], true]);
    }
  });

  test("a client whose `since` is beyond the log must page history", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    assertOk(await ann.ask("send message", "hello"));
    const bob = await connect(t, clientType, server, { room, since: { [room]: 7 } });
    await bob.identify(unique("bob"));
    assert.deepEqual(await bob.next("missed"), { room, messages: [], recovered: false, head: 1 });
    await barrier(ann, room, bob);
  });

  test("a stream has no gap, however often its reader reconnects", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const first = await joinAsGuest(t, clientType, server, "bob", { room });
    const turns = 6;
    const stream = postBatches(ann, 30, 20);
    const seen = [];
    let bob = first;
    for (let turn = 1; turn <= turns; turn += 1) {
      await readUntilCount(bob, seen, turn * 100);
      assertConsecutive(seen);
      bob.close();
      const since = { [room]: seen.length };
      if (turn < turns)
        bob = await connectWithToken(t, clientType, server, first.token, { room, since });
    }
    assert.deepEqual(
      seen.map(({ msg }) => msg),
      Array.from({ length: 600 }, (_, n) => n),
    );
    await stream;
  });

  test("`since` is valid only with the epoch in which it was obtained", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    for (const it of await ann.askAll("send message", ["a", "b", "c"])) assertOk(it);
    const since = { [room]: 1 };
    const { epoch } = ann.welcome;
    assert.equal(typeof epoch, "string");
    const same = await connectWithToken(t, clientType, server, ann.token, { room, since, epoch });
    assert.equal(same.welcome.epoch, epoch);
    const { messages, recovered } = await same.next("missed");
    assert.deepEqual([messages.map(({ msg }) => msg), recovered], [["b", "c"], true]);
    const lost = { room, messages: [], recovered: false, head: 3 };
    const other = await connectWithToken(t, clientType, server, ann.token, {
      room,
      since,
      epoch: "other",
    });
    assert.deepEqual(await other.next("missed"), lost);
    await barrier(ann, room, same, other);
    assertOk(await same.ask("join", { room, since: 1, epoch }));
    assert.equal((await same.next("missed")).recovered, true);
    assertOk(await same.ask("join", { room, since: 1, epoch: "other" }));
    assert.deepEqual(await same.next("missed"), { ...lost, head: 4 });
  });
}

/** `server` has the setting `token.secret`: it remembers these users while they are offline. */
export function reconnectingToRooms(clientType, server) {
  test("`since` does not join a room that was left meanwhile, or never joined", async (t) => {
    const [left, lost, neverJoined] = [unique("left"), unique("lost"), unique("strange")];
    const ann = await joinAsUser(t, clientType, server, "ann");
    const owner = await joinAsUser(t, clientType, server, "boss");
    for (const room of [left, lost, neverJoined]) assertOk(await owner.ask("join", room));
    for (const room of [left, lost]) assertOk(await ann.ask("join", room));
    const second = await connectWithToken(t, clientType, server, ann.token);
    second.close();
    await second.closed;
    assertOk(await ann.ask("leave", left));
    assertOk(await owner.ask("kick", { room: lost, user: ann.name }));
    for (const room of [left, lost, neverJoined]) await barrier(owner, room);
    const since = { [left]: 0, [lost]: 0, [neverJoined]: 0, lobby: 0 };
    const back = await connectWithToken(t, clientType, server, ann.token, { since });
    assert.deepEqual(
      back.welcome.rooms.map(({ room }) => room),
      ["lobby"],
    );
    for (const room of [left, lost, neverJoined]) {
      assertRefused(await back.ask("GroupList", { room }), "not_member", room);
    }
    await barrier(owner, "lobby", back);
    assert.deepEqual(
      back.take("missed").filter(({ room }) => room !== "lobby"),
      [],
    );
  });

  test("`since` recovers a room that another device joined meanwhile", async (t) => {
    const room = unique("room");
    const ann = await joinAsUser(t, clientType, server, "ann");
    const owner = await joinAsUser(t, clientType, server, "boss", { room });
    await barrier(owner, room);
    assertOk(await ann.ask("join", room));
    await barrier(owner, room, ann);
    const back = await connectWithToken(t, clientType, server, ann.token, { since: { [room]: 0 } });
    const { messages, recovered } = await back.next("missed", (it) => it.room === room);
    assert.deepEqual([messages.length, recovered], [2, true]);
    await barrier(owner, room, back);
  });
}

/** Each test has its own servers, made by `fresh`. */
export function reconnectingToNewLog(clientType, fresh) {
  test("a server with another database does not accept `since`", async (t) => {
    const room = unique("room");
    const [before, after] = [await fresh(t), await fresh(t)];
    for (const server of [before, after]) {
      const ann = await joinAsGuest(t, clientType, server, "ann", { room });
      for (const it of await ann.askAll(
        "send message",
        [1, 2, 3].map((msg) => ({ msg })),
      ))
        assertOk(it);
    }
    const { welcome } = await joinAsGuest(t, clientType, before, "bob", { room });
    const { epoch } = welcome;
    const bob = await connect(t, clientType, after, { room, since: { [room]: 2 }, epoch });
    await bob.identify(unique("bob"));
    assert.notEqual(bob.welcome.epoch, epoch);
    assert.deepEqual(await bob.next("missed"), { room, messages: [], recovered: false, head: 3 });
  });

  test("deleted entries are not recovered, and kept entries are", async (t) => {
    const settings = { "retention.entries_max": 5, "retention.sweep_secs": 1 };
    const server = await fresh(t, { settings });
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const sent = Array.from({ length: 12 }, (_, n) => ({ msg: n + 1, id: unique("id") }));
    for (const it of await ann.askAll("send message", sent)) assertOk(it);
    const first = async () => (await ann.ask("history", { after: 0, limit: 1 })).messages[0].seq;
    const recovered = async () => {
      assertOk(await ann.ask("join", { room, since: 6 }));
      return (await ann.next("missed")).recovered;
    };
    // Entries leave the cache a moment after they are deleted from the database.
    const swept = async () => {
      while (await recovered());
    };
    await withTimeout("the deletion of old entries", swept());
    assert.equal(await first(), 8);
    await check(t, server, ann, room);
    const kept = assertOk(await ann.ask("send message", sent[11]));
    assert.deepEqual([kept.seq, kept.duplicate], [12, true]);
    const { epoch } = ann.welcome;
    await server.restart();
    const again = await connectWithToken(t, clientType, server, ann.token, { room });
    assert.equal(again.welcome.epoch, epoch);
    await check(t, server, again, room);
    const anew = assertOk(await again.ask("send message", sent[0]));
    assert.deepEqual([anew.seq, anew.duplicate], [13, undefined]);
  });

  /** Of entries 1 to 12 the last 5 are kept. */
  async function check(t, server, { token, welcome: { epoch } }, room) {
    const gone = await connectWithToken(t, clientType, server, token, {
      room,
      since: { [room]: 6 },
      epoch,
    });
    const lost = { room, messages: [], recovered: false, head: 12 };
    assert.deepEqual(await gone.next("missed"), lost);
    const kept = await connectWithToken(t, clientType, server, token, {
      room,
      since: { [room]: 7 },
      epoch,
    });
    const { messages, recovered } = await kept.next("missed");
    assertConsecutive(messages, 8);
    assert.deepEqual([messages.length, recovered], [5, true]);
    gone.close();
    kept.close();
  }
}

/** Posts 0, 1, 2 … in batches, each after the acknowledgement of the previous one. */
async function postBatches(client, batches, each) {
  for (let batch = 0; batch < batches; batch += 1) {
    const list = Array.from({ length: each }, (_, n) => ({ msg: batch * each + n }));
    for (const it of await client.askAll("send message", list)) assertOk(it);
  }
}
