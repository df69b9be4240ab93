// Each limit: at the limit, and one beyond it. docs/protocol.md "Limits".

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertErrorEvent, assertOk, assertRefused, assertSameNames } from "../support/assert.mjs";
import { barrier, connect, joinAsGuest, readMissed } from "../support/fixtures.mjs";
import { unique } from "../support/unique.mjs";

/** Small enough to reach in a test. */
export const LIMITS = {
  "limits.body_bytes_max": 4096,
  "limits.frame_bytes_max": 32_768,
  "limits.rooms_per_user_max": 4,
  "limits.history_messages_max": 20,
  "limits.recover_messages_max": 10,
  "limits.presence_list_max": 3,
  "limits.presence_grace_ms": 100,
};

/** `server` has the settings above. */
export function limits(clientType, server) {
  test("`welcome` contains the limits", async (t) => {
    const ann = await joinAsGuest(t, clientType, server, "ann");
    assert.deepEqual(ann.welcome.limits, {
      bodyBytesMax: 4096,
      frameBytesMax: 32_768,
      attachmentsMax: 10,
      historyMax: 20,
      roomsMax: 4,
    });
  });

  test("a body at the limit is accepted, one more byte is not", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    const most = "x".repeat(4096 - 2); // as JSON: with its quotation marks
    assertOk(await ann.ask("send message", most));
    assert.equal((await bob.next("new message")).msg, most);
    assertRefused(await ann.ask("send message", `${most}x`), "message_too_large");
    assertRefused(await ann.ask("GroupChat", { data: ["x".repeat(4096)] }), "message_too_large");
    assertRefused(
      await ann.ask("SingleChat", { to: bob.name, data: `${most}x` }),
      "message_too_large",
    );
    assertRefused(await ann.ask("edit message", { seq: 1, msg: `${most}x` }), "message_too_large");
    ann.emit("send message", `${most}x`);
    assertErrorEvent(await ann.next("error message"), "send message", "message_too_large");
    assert.equal((await barrier(ann, room, bob)).seq, 2);
  });

  if (!clientType.asciiOnly)
    test("the limit counts bytes, not characters", async (t) => {
      const ann = await joinAsGuest(t, clientType, server, "ann", { room: unique("room") });
      assertOk(await ann.ask("send message", "ü".repeat(2047)));
      assertRefused(await ann.ask("send message", "ü".repeat(2048)), "message_too_large");
    });

  test("the number of rooms per user is limited, the first one included", async (t) => {
    const ann = await joinAsGuest(t, clientType, server, "ann");
    const names = [1, 2, 3].map(() => unique("room"));
    for (const room of names) assertOk(await ann.ask("join", room));
    const another = unique("room");
    assertRefused(await ann.ask("join", another), "too_many_rooms");
    assertOk(await ann.ask("join", names[0])); // already joined
    assertOk(await ann.ask("leave", names[0]));
    assertOk(await ann.ask("join", another));
  });

  test("invitations use at most half of them", async (t) => {
    const ann = await joinAsGuest(t, clientType, server, "ann");
    const bob = await joinAsGuest(t, clientType, server, "bob"); // also in the lobby
    const names = [1, 2].map(() => unique("room"));
    for (const room of names) assertOk(await ann.ask("join", room));
    assertOk(await ann.ask("invite", { room: names[0], user: bob.name }));
    assertRefused(await ann.ask("invite", { room: names[1], user: bob.name }), "too_many_rooms");
    assertOk(await bob.ask("join", names[1]));
  });

  test("`since` cannot name more rooms either", async () => {
    const since = Object.fromEntries([1, 2, 3, 4, 5].map(() => [unique("room"), 0]));
    assert.equal(await clientType.refusal(server, { since }), "too_many_rooms");
  });

  test("the size of a page of history is limited", async (t) => {
    const ann = await joinAsGuest(t, clientType, server, "ann", { room: unique("room") });
    const sent = Array.from({ length: 21 }, (_, n) => n);
    for (const it of await ann.askAll(
      "send message",
      sent.map((msg) => ({ msg })),
    ))
      assertOk(it);
    assert.equal(assertOk(await ann.ask("history", { limit: 20 })).messages.length, 20);
    const page = assertOk(await ann.ask("history", { limit: 21 }));
    assert.deepEqual([page.messages.length, page.more], [20, true]);
  });

  test("the number of recovered messages is limited; beyond it history is needed", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const sent = Array.from({ length: 12 }, (_, n) => n);
    for (const it of await ann.askAll(
      "send message",
      sent.map((msg) => ({ msg })),
    ))
      assertOk(it);
    const bob = await connect(t, clientType, server, { room, since: { [room]: 2 } });
    await bob.identify(unique("bob"));
    assert.deepEqual(
      (await readMissed(bob)).map(({ msg }) => msg),
      sent.slice(2),
    );
    const carol = await connect(t, clientType, server, { room, since: { [room]: 1 } });
    await carol.identify(unique("carol"));
    const tooFar = { room, messages: [], recovered: false, head: 12 };
    assert.deepEqual(await carol.next("missed"), tooFar);
    await barrier(ann, room, carol);
  });

  test("a larger room is counted, not listed", async (t) => {
    const room = unique("room");
    const clients = [];
    for (let n = 0; n < 3; n += 1)
      clients.push(await joinAsGuest(t, clientType, server, "one", { room }));
    const [ann] = clients;
    const { users } = assertOk(await ann.ask("GroupList"));
    assertSameNames(
      users,
      clients.map(({ name }) => name),
    );
    const last = await joinAsGuest(t, clientType, server, "last", { room });
    assert.deepEqual(await ann.ask("GroupList"), { ok: true, room, users: [], count: 4 });
    for (const it of [ann, last]) {
      assert.deepEqual(await it.next("presence"), { room, count: 4 });
    }
    last.close();
    await ann.next("get users", (names) => names.length === 3);
  });
}

/** So slow that the test does not depend on the speed of the machine. */
export const RATE_LIMIT = { "limits.messages_per_second_max": 1, "limits.messages_burst_max": 5 };

/** `server` has the settings above. */
export function rateLimit(clientType, server) {
  test("a burst is accepted, and the next message is refused with `retryAfterMs`", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    const burst = Array.from({ length: 6 }, (_, n) => ({ msg: n }));
    const answers = await ann.askAll("send message", burst);
    answers.slice(0, 5).forEach(assertOk);
    assertRefused(answers[5], "too_fast");
    const { retryAfterMs } = answers[5];
    assert.ok(Number.isInteger(retryAfterMs) && 0 < retryAfterMs && retryAfterMs <= 1000);
    ann.emit("GroupChat", "too early");
    const error = await ann.next("error message");
    assertErrorEvent(error, "GroupChat", "too_fast");
    assert.ok(0 < error.retryAfterMs && error.retryAfterMs <= 1000);
    const received = await bob.collect("new message", 5);
    assert.deepEqual(
      received.map(({ msg }) => msg),
      [0, 1, 2, 3, 4],
    );
    assert.equal((await barrier(bob, room, ann)).seq, 6); // other users have their own rate limit
  });
}
