// Typing: delivered to the others, never stored, and always ended. docs/protocol.md "Client to
// server".

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertErrorEvent, assertOk, assertRefused, assertSameNames } from "../support/assert.mjs";
import { barrier, connectWithToken, joinAsUser, ownerAndMember } from "../support/fixtures.mjs";
import { SECRET } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";

/** The settings that these tests need. */
export const TYPING_SETTINGS = {
  "token.secret": SECRET,
  "rooms.read_only": ["news-*"],
  "limits.presence_grace_ms": 100,
};

/** `server` has the settings `TYPING_SETTINGS`. */
export function typing(clientType, server) {
  test("start and end are delivered to the others", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    for (const typing of [true, false]) {
      assert.deepEqual(await bob.ask("typing", { typing }), { ok: true });
      assert.deepEqual(await ann.next("typing"), { room, user: bob.name, typing });
    }
    assert.deepEqual(assertOk(await ann.ask("history", { room })).messages, []);
  });

  test("only others receive it, and only in the room", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    const second = await connectWithToken(t, clientType, server, bob.token);
    const carol = await joinAsUser(t, clientType, server, "carol");
    assertOk(await bob.ask("typing", { room, typing: true }));
    await ann.next("typing");
    await barrier(second, "lobby", carol);
    await barrier(ann, room, bob);
    for (const it of [bob, second, carol]) assert.deepEqual(it.take("typing"), []);
  });

  test("of several starts in a moment only the first is delivered", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    for (let times = 0; times < 3; times += 1) {
      assertOk(await bob.ask("typing", { room, typing: true }));
    }
    await barrier(ann, room, ann);
    assert.deepEqual(ann.take("typing"), [{ room, user: bob.name, typing: true }]);
  });

  test("each user and each room has its own rate limit", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    const carol = await joinAsUser(t, clientType, server, "carol", { room });
    const other = unique("room");
    for (const it of [ann, bob]) assertOk(await it.ask("join", other));
    for (const [it, where] of [
      [bob, room],
      [carol, room],
      [bob, other],
    ]) {
      assertOk(await it.ask("typing", { room: where, typing: true }));
      assert.deepEqual(await ann.next("typing"), { room: where, user: it.name, typing: true });
    }
  });

  test("an end without a start is not delivered", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    assert.deepEqual(await bob.ask("typing", { room, typing: false }), { ok: true });
    await barrier(ann, room, bob);
    assert.deepEqual(ann.take("typing"), []);
  });

  test("it ends with the connection", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    const second = await connectWithToken(t, clientType, server, bob.token);
    assertOk(await bob.ask("typing", { room, typing: true }));
    bob.drop();
    const received = await ann.collect("typing", 2);
    assert.deepEqual(
      received.map(({ user, typing }) => [user, typing]),
      [
        [bob.name, true],
        [bob.name, false],
      ],
    );
    await barrier(second, room, ann);
  });

  test("a message ends it without an event", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    assertOk(await bob.ask("typing", { room, typing: true }));
    await barrier(bob, room, ann);
    assertOk(await bob.ask("typing", { room, typing: false }));
    bob.close();
    await ann.next("user left", ({ user }) => user === bob.name);
    assert.deepEqual(ann.take("typing"), [{ room, user: bob.name, typing: true }]);
  });

  test("in a direct conversation all devices of the other user receive it", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    const second = await connectWithToken(t, clientType, server, ann.token, { room });
    const carol = await joinAsUser(t, clientType, server, "carol", { room });
    for (const typing of [true, false]) {
      assert.deepEqual(await bob.ask("typing", { to: ann.name, typing }), { ok: true });
      for (const it of [ann, second]) {
        assert.deepEqual(await it.next("typing"), { with: bob.name, user: bob.name, typing });
      }
    }
    await barrier(bob, room, carol);
    assert.deepEqual([...bob.take("typing"), ...carol.take("typing")], []);
  });

  test("a direct message ends it without an event, too", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    assertOk(await bob.ask("typing", { to: ann.name, typing: true }));
    assertOk(await bob.ask("SingleChat", { to: ann.name, data: "x" }));
    await ann.next("SingleChat");
    assertOk(await bob.ask("typing", { to: ann.name, typing: false }));
    await barrier(bob, room, ann);
    assert.deepEqual(
      ann.take("typing").map((it) => it.typing),
      [true],
    );
  });

  test("leaving and removal end it", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    const carol = await joinAsUser(t, clientType, server, "carol", { room });
    for (const [it, end] of [
      [bob, () => bob.ask("leave", room)],
      [carol, () => ann.ask("kick", { room, user: carol.name })],
    ]) {
      assertOk(await it.ask("typing", { room, typing: true }));
      await ann.next("typing");
      assertOk(await end());
      assert.deepEqual(await ann.next("typing"), { room, user: it.name, typing: false });
    }
  });

  test("a reader cannot type", async (t) => {
    const room = unique("news");
    const ann = await joinAsUser(t, clientType, server, "ann", { room });
    const root = await joinAsUser(t, clientType, server, "root", { room, claims: { admin: true } });
    assertRefused(await ann.ask("typing", { room, typing: true }), "read_only");
    assertOk(await root.ask("typing", { room, typing: true }));
    assert.deepEqual(await ann.next("typing"), { room, user: root.name, typing: true });
  });

  test("it needs membership and a valid form", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    assertRefused(await ann.ask("typing", { room: unique("room"), typing: true }), "not_member");
    for (const data of [
      undefined,
      null,
      true,
      "text",
      [],
      { room },
      { room, typing: 1 },
      { room, typing: "true" },
      { room, to: bob.name, typing: true },
      { with: bob.name, typing: true },
      { to: 1, typing: true },
    ]) {
      assertRefused(await ann.ask("typing", data), "bad_request", JSON.stringify(data));
    }
    ann.emit("typing", { room });
    assertErrorEvent(await ann.next("error message"), "typing", "bad_request");
    await barrier(ann, room, bob);
    assert.deepEqual(bob.take("typing"), []);
  });
}

/** Takes the six seconds after which the server ends typing. */
export function typingTimeout(clientType, server) {
  test("it ends by itself when it is not repeated", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    assertOk(await bob.ask("typing", { room, typing: true }));
    assertOk(await bob.ask("typing", { to: ann.name, typing: true }));
    const received = await ann.collect("typing", 4);
    assert.deepEqual(
      received.map((it) => it.typing),
      [true, true, false, false],
    );
    assertSameNames(
      received.slice(2).map((it) => it.room ?? it.with),
      [bob.name, room],
    );
  });
}

/** `server` has `presence_list_max = 1` and a `token.secret`. */
export function typingInLargeRooms(clientType, server) {
  test("in a room without a list of names it is not delivered", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    for (const typing of [true, false]) {
      assert.deepEqual(await bob.ask("typing", { room, typing }), { ok: true });
    }
    await barrier(bob, room, ann);
    assert.deepEqual(ann.take("typing"), []);
  });
}
