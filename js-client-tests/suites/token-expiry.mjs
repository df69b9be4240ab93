// A connection ends with its token, unless it receives a new one. docs/protocol.md "While
// connected".

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk, assertRefused } from "../support/assert.mjs";
import { barrier, connect, connectWithToken } from "../support/fixtures.mjs";
import { withTimeout } from "../support/timeouts.mjs";
import { epochSeconds, signToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

/** Seconds: long enough to connect on a busy machine, and short enough to wait for. */
const SHORT = 5;

/** `server` has its own key, and a short grace period. */
export function tokenExpiry(clientType, server) {
  const tokenOf = (sub, exp, more) => signToken(server, { sub, exp, ...more });

  test("a connection with little time left is warned at once, and closed at the end", async (t) => {
    const exp = epochSeconds(SHORT);
    const token = await tokenOf(unique("ann"), exp);
    const ann = await connectWithToken(t, clientType, server, token);
    const expiresAt = new Date(exp * 1000).toISOString();
    assert.equal(ann.welcome.expiresAt, expiresAt);
    const received = await ann.events.nextOf(["auth expiring", "closing"]);
    assert.deepEqual(received, { event: "auth expiring", data: { expiresAt } });
    await expired(ann);
    assert.ok(exp * 1000 <= Date.now(), "closed before the token expired");
    assert.equal(await clientType.refusal(server, { token }), "token_expired");
  });

  test("a new token keeps the connection beyond the first one's end", async (t) => {
    const [name, room, exp] = [unique("ann"), unique("room"), epochSeconds(SHORT)];
    const ann = await connectWithToken(t, clientType, server, await tokenOf(name, exp), { room });
    const later = await tokenOf(unique("bob"), exp + 1);
    const bob = await connectWithToken(t, wsJson, server, later, { room });
    await ann.next("auth expiring");
    const end = epochSeconds(600);
    const answer = assertOk(await ann.ask("auth", { token: await tokenOf(name, end) }));
    assert.deepEqual([answer.user, Date.parse(answer.expiresAt)], [name, end * 1000]);
    await withTimeout("the end of bob's token, which is after ann's", bob.closed);
    assert.equal((await barrier(ann, undefined, ann)).seq, 1);
    assert.deepEqual(ann.take("closing"), []);
  });

  test("a new token that expires soon ends the connection, too", async (t) => {
    const [name, exp] = [unique("ann"), epochSeconds(SHORT)];
    const ann = await connectWithToken(t, clientType, server, await tokenOf(name, exp));
    assertOk(await ann.ask("auth", { token: await tokenOf(name, exp + 1) }));
    await expired(ann);
    assert.ok((exp + 1) * 1000 <= Date.now(), "closed at the end of the first token");
  });

  test("an unsuitable token is refused, without effect", async (t) => {
    const [name, room, exp] = [unique("ann"), unique("room"), epochSeconds(SHORT)];
    const ann = await connectWithToken(t, clientType, server, await tokenOf(name, exp), { room });
    const wrong = [
      ["other_user", await tokenOf(unique("eve"), epochSeconds(600))],
      ["other_user", await tokenOf(name.toUpperCase(), epochSeconds(600))],
      ["token_expired", await tokenOf(name, epochSeconds(-1))],
      ["unauthorized", "nonsense"],
      ["unauthorized", ""],
      ["space_forbidden", await tokenOf(name, epochSeconds(600), { spaces: ["/shop"] })],
    ];
    for (const [code, token] of wrong) assertRefused(await ann.ask("auth", { token }), code);
    for (const data of [undefined, "text", {}, { token: 5 }, { token: null }, [exp]]) {
      assertRefused(await ann.ask("auth", data), "bad_request");
    }
    assert.equal((await barrier(ann, undefined, ann)).seq, 1);
    await expired(ann);
  });

  test("a token identifies an anonymous connection", async (t) => {
    const [name, exp] = [unique("ann"), epochSeconds(SHORT)];
    const ann = await connect(t, clientType, server);
    assertRefused(await ann.ask("auth", { token: "nonsense" }), "unauthorized");
    const answer = assertOk(await ann.ask("auth", { token: await tokenOf(name, exp) }));
    assert.deepEqual([answer.user, Date.parse(answer.expiresAt)], [name, exp * 1000]);
    await ann.waitForWelcome();
    assert.deepEqual([ann.name, ann.welcome.rooms[0].room], [name, "lobby"]);
    assertRefused(await ann.ask("new user", unique("other")), "already_identified");
    await expired(ann);
  });

  test("a guest's token expires, too, and no other user's token renews it", async (t) => {
    const ann = await connect(t, clientType, server);
    await ann.identify(unique("ann"));
    const token = await tokenOf(ann.name, epochSeconds(600));
    assertRefused(await ann.ask("auth", { token }), "other_user");
    assertOk(await ann.ask("auth", { token: ann.token }));
    await ann.next("auth expiring");
    await expired(ann);
    assert.equal(await clientType.refusal(server, { token: ann.token }), "token_expired");
  });

  test("a new token removes the user from rooms that it does not permit", async (t) => {
    const [name, kept, lost] = [unique("ann"), unique("kept"), unique("lost")];
    const ann = await connectWithToken(
      t,
      clientType,
      server,
      await tokenOf(name, epochSeconds(600)),
      {
        room: lost,
      },
    );
    assertOk(await ann.ask("join", kept));
    const bob = await connectWithToken(
      t,
      wsJson,
      server,
      await tokenOf(unique("bob"), epochSeconds(600)),
      {
        room: lost,
      },
    );
    const fresh = await tokenOf(name, epochSeconds(600), { rooms: [`${kept}*`, kept] });
    assertOk(await ann.ask("auth", { token: fresh }));
    assert.deepEqual(await bob.next("user left"), { room: lost, user: name });
    assert.deepEqual(await ann.next("membership"), { room: lost, role: null });
    assertRefused(await ann.ask("send message", { room: lost, msg: "x" }), "not_member");
    assertRefused(await ann.ask("history", { room: lost }), "not_member");
    assertRefused(await ann.ask("join", lost), "room_forbidden");
    await barrier(bob, lost, bob);
    await barrier(ann, kept, ann);
    const received = ann.take("new message");
    assert.deepEqual(received, [], "still receives messages of the room that it lost");
  });

  test("a new token adds the connection to the user's rooms that it permits again", async (t) => {
    const [name, room, kept] = [unique("ann"), unique("room"), unique("kept")];
    const bob = await connectWithToken(
      t,
      wsJson,
      server,
      await tokenOf(unique("bob"), epochSeconds(600)),
      {
        room,
      },
    );
    const wide = await tokenOf(name, epochSeconds(600));
    const first = await connectWithToken(t, clientType, server, wide, { room });
    const narrow = await tokenOf(name, epochSeconds(600), { rooms: [kept] });
    const ann = await connectWithToken(t, clientType, server, narrow, { room: kept });
    await barrier(bob, room, first);
    assertOk(await ann.ask("auth", { token: wide }));
    const summary = { room, role: "member", seq: 1, unread: 1, read: 0 };
    assert.deepEqual(await ann.next("membership", (it) => it.room === room), summary);
    await barrier(bob, room, ann);
    await barrier(ann, room, bob, first);
  });

  /** Waits for `closing` and then for the disconnect. */
  async function expired(client) {
    const { code, reconnect } = await client.next("closing");
    assert.deepEqual([code, reconnect], ["token_expired", true]);
    const end = await withTimeout("the end of the connection", client.closed);
    if (clientType.wire === "ws")
      return assert.deepEqual(end, { code: 4006, reason: "token_expired" });
    assert.ok(["transport close", "transport error"].includes(end), end);
    if (client.socket.active !== undefined) assert.equal(client.socket.active, true);
  }
}
