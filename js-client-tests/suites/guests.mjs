// Guest names, and who takes precedence over guests. docs/protocol.md "Names", "Who you are".

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertClosedForGood, assertOk, assertRefused } from "../support/assert.mjs";
import { barrier, connect, connectWithToken, joinAsGuest } from "../support/fixtures.mjs";
import { epochSeconds, mintToken, signToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

/** Names with invisible characters, or characters that change the direction of the text. */
const INVISIBLE = [
  "a\u200bb",
  "a\u200db",
  "a\u2060b",
  "\ufeffab",
  "a\u00adb",
  "a\u034fb",
  "a\u3164b",
  "\u115fab",
  "ab\u180e",
  "a\u{e0061}b",
  "\u202eba",
  "a\u202ab",
  "a\u2066b",
  "a\u2069b",
  "a\u200eb",
  "a\u061cb",
  "a\u2028b",
  "a\u0085b",
  "a\u007fb",
  "\ufe0f",
];

/** Names that look like the first one of each list. */
const ALIKE = [
  ["Ann Lee", "ann lee", "ANN LEE", "Ann  Lee", " Ann Lee ", "Ann\u00a0Lee", "Ann\u2003Lee"],
  ["straße", "STRASSE", "Strasse", "strasse"],
  ["Å", "A\u030a", "\u212b", "å"],
  ["ann", "ａｎｎ", "ᴬnn", "Ａnn"],
  ["ΣΊΣΥΦΟΣ", "σίσυφος", "Σίσυφοσ"],
  ["ann", "аnn", "𝔞nn"],
  ["TOM", "ТОМ", "том"],
  ["Alice", "AIice", "aIice"],
  ["bob", "B0B"],
  ["علی‌رضا", "علیرضا"],
];

/** `server` has a short grace period. */
export function guests(clientType, server) {
  test("a name has 1 to 32 visible characters", async (t) => {
    const ann = await connect(t, clientType, server);
    const names = ["x".repeat(33), ...INVISIBLE.filter(supportsName)];
    for (const name of names) {
      assertRefused(await ann.ask("new user", name), "name_invalid", JSON.stringify(name));
    }
    assertOk(await ann.ask("new user", unique("x".repeat(23))));
  });

  if (!clientType.asciiOnly) {
    test("a name is stored in Unicode NFC", async (t) => {
      const ann = await connect(t, clientType, server);
      const name = unique("Jose\u0301");
      assert.equal(assertOk(await ann.ask("new user", name)).user, name.normalize("NFC"));
      const bob = await connect(t, wsJson, server);
      assertRefused(await bob.ask("new user", name.normalize("NFC")), "name_taken");
    });
  }

  test("the same device gets the name back without the token, and no other device", async (t) => {
    const [name, device] = [unique("ann"), unique("device")];
    const ann = await connect(t, clientType, server, { device });
    assertOk(await ann.ask("new user", { name }));
    const other = await connect(t, clientType, server, { device: unique("device") });
    assertRefused(await other.ask("new user", { name }), "name_taken");
    const back = await connect(t, clientType, server, { device });
    const buffered = back.ask("send message", "buffered");
    assert.equal(assertOk(await back.ask("new user", { name })).user, name);
    assertOk(await buffered);
    assert.equal((await ann.next("new message")).username, name);
  });

  test("a name that looks like one that is online is taken, on both transports", async (t) => {
    for (const [first, ...alike] of ALIKE.map((list) => list.filter(supportsName))) {
      if (first === undefined) continue;
      const mark = unique("");
      const ann = await connect(t, wsJson, server);
      assertOk(await ann.ask("new user", `${mark} ${first}`));
      for (const it of [await connect(t, clientType, server), await connect(t, wsJson, server)]) {
        for (const name of [first, ...alike]) {
          assertRefused(await it.ask("new user", `${mark} ${name}`), "name_taken", name);
        }
      }
    }
  });

  test("a guest cannot take a name that a token has used", async (t) => {
    const name = unique("Carol Jones");
    const room = unique("room");
    const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
    const carol = await connectWithToken(t, clientType, server, await mintToken(server, name), {
      room,
    });
    carol.close();
    await bob.next("user left", ({ user }) => user === name);
    const guest = await connect(t, clientType, server);
    for (const it of [name, name.toUpperCase(), name.replace(" ", "  ")]) {
      assertRefused(await guest.ask("new user", it), "name_taken", it);
    }
    await connectWithToken(t, clientType, server, await mintToken(server, name));
  });

  test("the names of two token users may look alike", async (t) => {
    const name = unique("dave");
    for (const sub of [name, name.toUpperCase()]) {
      const token = await signToken(server, { sub, exp: epochSeconds(600) });
      assert.equal((await connectWithToken(t, clientType, server, token)).name, sub);
    }
  });

  for (const [kind, change] of [
    ["the same", (it) => it],
    ["a similar", (it) => it.toUpperCase()],
  ]) {
    test(`a token user disconnects a guest with ${kind} name`, async (t) => {
      const room = unique("room");
      const name = unique("erin");
      const guest = await connect(t, clientType, server, { room });
      await guest.identify(change(name));
      const second = await connectWithToken(t, wsJson, server, guest.token, { room });
      const user = await connectWithToken(t, clientType, server, await mintToken(server, name), {
        room,
      });
      assert.equal(user.name, name);
      for (const it of [guest, second]) await assertClosedForGood(it, "name_taken", 4502);
      assert.equal(await clientType.refusal(server, { token: guest.token }), "name_taken");
      await barrier(user, room, user);
    });
  }

  test("a guest inherits nothing from an earlier guest of the same name", async (t) => {
    const room = unique("room");
    const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
    const first = await joinAsGuest(t, clientType, server, "guest", { room });
    assertOk(await first.ask("send message", { room, msg: "of the first" }));
    assertOk(await first.ask("SingleChat", { to: bob.name, data: "of the first" }));
    assertOk(await bob.ask("SingleChat", { to: first.name, data: "to the first" }));
    assertOk(await first.ask("mute", { room, muted: true }));
    first.close();
    await bob.next("user left", ({ user }) => user === first.name);
    const next = await connect(t, clientType, server, { room });
    await next.identify(first.name);
    const [summary] = next.welcome.rooms;
    assert.deepEqual(summary, { room, seq: 1, unread: 0, read: 1, role: "member" });
    assert.deepEqual(next.welcome.directs, []);
    assert.deepEqual(assertOk(await next.ask("history", { with: bob.name })).messages, []);
    assertRefused(await next.ask("edit message", { room, seq: 1, msg: "x" }), "forbidden");
    assertRefused(await next.ask("delete message", { room, seq: 1 }), "forbidden");
    assert.equal((await next.ask("history", { room })).messages[0].msg, "of the first");
    assertOk(await bob.ask("SingleChat", { to: first.name, data: "to the next" }));
    assert.equal((await next.next("SingleChat")).data, "to the next");
    const { messages } = assertOk(await next.ask("history", { with: bob.name }));
    assert.deepEqual(
      messages.map(({ data }) => data),
      ["to the next"],
    );
  });

  /** Whether the client can send the name: 1.x has only ASCII over polling. */
  function supportsName(name) {
    return !clientType.asciiOnly || /^[\0-\x7f]*$/.test(name);
  }
}

/** Each test has its own server, because the server keeps the names. */
export function guestsAfterRestart(clientType, fresh) {
  test("a guest cannot take a name that a token has used before a restart", async (t) => {
    const server = await fresh(t);
    const name = unique("Frank");
    (await connectWithToken(t, clientType, server, await mintToken(server, name))).close();
    await server.restart();
    const guest = await connect(t, clientType, server);
    for (const it of [name, name.toLowerCase()]) {
      assertRefused(await guest.ask("new user", it), "name_taken", it);
    }
    assertOk(await guest.ask("new user", unique("grace")));
  });

  for (const signal of ["SIGTERM", "SIGKILL"]) {
    test(`after ${signal} the names of online guests are theirs`, async (t) => {
      const server = await fresh(t, { settings: { "limits.presence_grace_ms": 60_000 } });
      const [room, device] = [unique("room"), unique("device")];
      const ann = await joinAsGuest(t, clientType, server, "ann");
      assertOk(await ann.ask("join", { room }));
      const bob = await connect(t, clientType, server, { device });
      await bob.identify(unique("bob"));
      await server.exitOn(signal);
      await server.start();
      const other = await connect(t, clientType, server, { device: unique("device") });
      for (const { name } of [ann, bob]) {
        for (const it of [name, name.toUpperCase()]) {
          assertRefused(await other.ask("new user", it), "name_taken", it);
        }
      }
      const back = await connectWithToken(t, clientType, server, ann.token);
      assert.equal(back.name, ann.name);
      assert.ok(back.welcome.rooms.some((it) => it.room === room));
      const again = await connect(t, clientType, server, { device });
      assert.equal(assertOk(await again.ask("new user", { name: bob.name })).user, bob.name);
    });
  }
}

/** `server` has `guests = "off"`. */
export function guestsDisabled(clientType, server) {
  test("a connection without a token is refused", async () => {
    if (clientType.wire === "socket.io") {
      return assert.equal(await clientType.refusal(server), "token_required");
    }
    assert.deepEqual(await clientType.guestRefusal(server), {
      why: "invalid_user",
      reconnect: false,
      code: 4001,
      reason: "Invalid user",
    });
  });

  test("a connection with an invalid token is refused", async () => {
    assert.equal(await clientType.refusal(server, { token: "nonsense" }), "unauthorized");
  });

  test("a connection with a valid token is accepted", async (t) => {
    const name = unique("ann");
    const ann = await connectWithToken(t, clientType, server, await mintToken(server, name));
    assert.equal(ann.name, name);
    assertRefused(await ann.ask("new user", unique("other")), "already_identified");
  });
}
