// Token claims besides the user's name. docs/protocol.md "Who you are".

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk, assertRefused } from "../support/assert.mjs";
import { barrier, connectWithToken, joinAsGuest } from "../support/fixtures.mjs";
import { epochSeconds, signToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";

/** `server` has its own key. */
export function tokenClaims(clientType, server) {
  const tokenWith = (more, sub = unique("ann")) =>
    signToken(server, { sub, exp: epochSeconds(600), ...more });

  test("`rooms` limits the rooms that may be joined", async (t) => {
    const [open, closed] = [unique("team"), unique("other")];
    const token = await tokenWith({ rooms: ["team-*", "news"] });
    const ann = await connectWithToken(t, clientType, server, token, { room: open });
    assert.deepEqual(
      ann.welcome.rooms.map(({ room }) => room),
      [open],
    );
    assertOk(await ann.ask("join", "news"));
    for (const room of [closed, "lobby", "news2", "News", "team"]) {
      assertRefused(await ann.ask("join", { room }), "room_forbidden", room);
      assertRefused(await ann.ask("join", { room, since: 0 }), "room_forbidden", room);
      assertRefused(await ann.ask("send message", { room, msg: "x" }), "not_member", room);
    }
    const bob = await joinAsGuest(t, clientType, server, "bob", { room: open });
    await barrier(bob, open, ann);
    await barrier(ann, "news", ann);
  });

  test("connecting to a room that the token does not permit is refused", async () => {
    const token = await tokenWith({ rooms: ["team-*"] });
    for (const room of ["other", "lobby"]) {
      assert.equal(await clientType.refusal(server, { token, room }), "room_forbidden", room);
    }
  });

  test("the lobby and rooms in `since` are skipped if the token does not permit them", async (t) => {
    const [open, closed] = [unique("team"), unique("other")];
    const bob = await joinAsGuest(t, clientType, server, "bob", { room: closed });
    assertOk(await bob.ask("send message", "not for ann"));
    const token = await tokenWith({ rooms: ["team-*"] });
    const since = { [open]: 0, [closed]: 0, lobby: 0 };
    const ann = await connectWithToken(t, clientType, server, token, { since });
    const summary = { room: open, seq: 0, unread: 0, read: 0, role: "owner" };
    assert.deepEqual(ann.welcome.rooms, [summary]);
    assertRefused(await ann.ask("send message", "to the lobby"), "not_member");
    await barrier(ann, open, ann);
    await barrier(bob, closed, bob);
    assert.deepEqual(bob.take("user joined"), []);
    const missed = ann.take("missed").filter(({ messages }) => 0 < messages.length);
    assert.deepEqual(missed, []);
  });

  test("`rooms` does not limit direct messages", async (t) => {
    const bob = await joinAsGuest(t, clientType, server, "bob");
    const ann = await connectWithToken(
      t,
      clientType,
      server,
      await tokenWith({ rooms: ["team-*"] }),
    );
    assertOk(await ann.ask("SingleChat", { to: bob.name, data: "psst" }));
    assert.equal((await bob.next("SingleChat")).user, ann.name);
    assertOk(await bob.ask("SingleChat", { to: ann.name, data: "psst" }));
    await ann.next("SingleChat");
  });

  test("only the user receives `admin`", async (t) => {
    const room = unique("room");
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    const shown = clientType.text("Ännchen von Tharau");
    const token = await tokenWith({ name: shown, admin: true });
    const ann = await connectWithToken(t, clientType, server, token, { room });
    assert.deepEqual([ann.welcome.name, ann.welcome.admin], [shown, true]);
    assert.deepEqual(await bob.next("user joined"), { room, user: ann.name, name: shown });
    const simple = await connectWithToken(t, clientType, server, await tokenWith({ admin: false }));
    for (const key of ["name", "admin"]) assert.ok(!(key in simple.welcome), key);
  });

  test("a token's name may be longer than a guest's, and `welcome` has no token", async (t) => {
    const sub = unique("u".repeat(55));
    assert.equal(sub.length, 64);
    const ann = await connectWithToken(t, clientType, server, await tokenWith({}, sub));
    assert.equal(ann.name, sub);
    assert.equal(ann.welcome.token, undefined);
  });

  test("other claims are ignored", async (t) => {
    const more = { email: "ann@example.com", roles: [1], iat: epochSeconds(-5), nbf: 0.5 };
    await connectWithToken(t, clientType, server, await tokenWith(more));
  });
}
