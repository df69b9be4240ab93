// What guests may be called, and who goes before them. docs/protocol.md "Names", "Who you are".

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk, assertRefused } from "../support/assert.mjs";
import { barrier, connect, connectWithToken, joinAsGuest } from "../support/fixtures.mjs";
import { withTimeout } from "../support/timeouts.mjs";
import { epochSeconds, mintToken, signToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

/** Names with something in them that nobody sees, or that turns the others round. */
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

/** Names that a reader takes for the first one of each list. */
const ALIKE = [
  ["Ann Lee", "ann lee", "ANN LEE", "Ann  Lee", " Ann Lee ", "Ann\u00a0Lee", "Ann\u2003Lee"],
  ["straße", "STRASSE", "Strasse", "strasse"],
  ["Å", "A\u030a", "\u212b", "å"],
  ["ann", "ａｎｎ", "ᴬnn", "Ａnn"],
  ["ΣΊΣΥΦΟΣ", "σίσυφος", "Σίσυφοσ"],
];

/** `server` has a short grace. */
export function guests(clientType, server) {
  test("a name has 1 to 32 characters, all of which can be seen", async (t) => {
    const ann = await connect(t, clientType, server);
    const names = ["x".repeat(33), ...INVISIBLE.filter(supportsName)];
    for (const name of names) {
      assertRefused(await ann.ask("new user", name), "name_invalid", JSON.stringify(name));
    }
    assertOk(await ann.ask("new user", unique("x".repeat(23))));
  });

  if (!clientType.asciiOnly) {
    test("a name is kept in Unicode's form NFC", async (t) => {
      const ann = await connect(t, clientType, server);
      const name = unique("Jose\u0301");
      assert.equal(assertOk(await ann.ask("new user", name)).user, name.normalize("NFC"));
      const bob = await connect(t, wsJson, server);
      assertRefused(await bob.ask("new user", name.normalize("NFC")), "name_taken");
    });
  }

  test("a name that looks like that of somebody online is taken, on both wires", async (t) => {
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

  test("a name that a token ever named is no guest's", async (t) => {
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

  test("two users of the back end may look alike", async (t) => {
    const name = unique("dave");
    for (const sub of [name, name.toUpperCase()]) {
      const token = await signToken(server, { sub, exp: epochSeconds(600) });
      assert.equal((await connectWithToken(t, clientType, server, token)).name, sub);
    }
  });

  for (const [whose, change] of [
    ["the same", (it) => it],
    ["such a", (it) => it.toUpperCase()],
  ]) {
    test(`a user comes, and a guest of ${whose} name goes`, async (t) => {
      const room = unique("room");
      const name = unique("erin");
      const guest = await connect(t, clientType, server, { room });
      await guest.identify(change(name));
      const second = await connectWithToken(t, wsJson, server, guest.token, { room });
      const user = await connectWithToken(t, clientType, server, await mintToken(server, name), {
        room,
      });
      assert.equal(user.name, name);
      for (const it of [guest, second]) await lost(it);
      assert.equal(await clientType.refusal(server, { token: guest.token }), "name_taken");
      await barrier(user, room, user);
    });
  }

  test("the next guest of a name has nothing of the one before", async (t) => {
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

  /** Waits for the words and then for the end that is for good. */
  async function lost(client) {
    const { code, reconnect } = await client.next("closing");
    assert.deepEqual([code, reconnect], ["name_taken", false]);
    const end = await withTimeout("the end of the connection", client.closed);
    if (client.engine === undefined) {
      return assert.deepEqual(end, { code: 4502, reason: "name_taken" });
    }
    assert.equal(end, "io server disconnect");
  }

  /** Whether the client can say it: 1.x has only ASCII over polling. */
  function supportsName(name) {
    return !clientType.asciiOnly || /^[\0-\x7f]*$/.test(name);
  }
}

/** Each test has a server of its own: what it remembers is the point. */
export function guestsAfterRestart(clientType, fresh) {
  test("a name that a token ever named is no guest's, also after a new start", async (t) => {
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
}

/** `server` has `guests = "off"`. */
export function guestsDisabled(clientType, server) {
  test("who has no token is turned away", async () => {
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

  test("who has a bad one is refused as everywhere", async () => {
    assert.equal(await clientType.refusal(server, { token: "nonsense" }), "unauthorized");
  });

  test("who has a good one is let in", async (t) => {
    const name = unique("ann");
    const ann = await connectWithToken(t, clientType, server, await mintToken(server, name));
    assert.equal(ann.name, name);
    assertRefused(await ann.ask("new user", unique("other")), "already_identified");
  });
}
