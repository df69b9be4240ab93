// What guests may be called, and who goes before them. docs/protocol.md "Names", "Who you are".

import assert from "node:assert/strict";
import { test } from "node:test";

import { accepted, refused } from "../support/assert.mjs";
import { unique } from "../support/names.mjs";
import { within } from "../support/patience.mjs";
import { arrive, comeBack, enter, fence } from "../support/people.mjs";
import { epoch, minted, signed } from "../support/tokens.mjs";
import { plain } from "../support/ws.mjs";

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
export function guests(way, server) {
  test("a name has 1 to 32 characters, all of which can be seen", async (t) => {
    const ann = await arrive(t, way, server);
    const names = ["x".repeat(33), ...INVISIBLE.filter(sayable)];
    for (const name of names) {
      refused(await ann.ask("new user", name), "name_invalid", JSON.stringify(name));
    }
    accepted(await ann.ask("new user", unique("x".repeat(23))));
  });

  if (!way.asciiOnly) {
    test("a name is kept in Unicode's form NFC", async (t) => {
      const ann = await arrive(t, way, server);
      const name = unique("Jose\u0301");
      assert.equal(accepted(await ann.ask("new user", name)).user, name.normalize("NFC"));
      const bob = await arrive(t, plain, server);
      refused(await bob.ask("new user", name.normalize("NFC")), "name_taken");
    });
  }

  test("a name that looks like that of somebody online is taken, on both wires", async (t) => {
    for (const [first, ...alike] of ALIKE.map((list) => list.filter(sayable))) {
      if (first === undefined) continue;
      const mark = unique("");
      const ann = await arrive(t, plain, server);
      accepted(await ann.ask("new user", `${mark} ${first}`));
      for (const it of [await arrive(t, way, server), await arrive(t, plain, server)]) {
        for (const name of [first, ...alike]) {
          refused(await it.ask("new user", `${mark} ${name}`), "name_taken", name);
        }
      }
    }
  });

  test("a name that a token ever named is no guest's", async (t) => {
    const name = unique("Carol Jones");
    const room = unique("room");
    const bob = await enter(t, plain, server, "bob", { room });
    const carol = await comeBack(t, way, server, await minted(server, name), { room });
    carol.close();
    await bob.next("user left", ({ user }) => user === name);
    const guest = await arrive(t, way, server);
    for (const it of [name, name.toUpperCase(), name.replace(" ", "  ")]) {
      refused(await guest.ask("new user", it), "name_taken", it);
    }
    await comeBack(t, way, server, await minted(server, name));
  });

  test("two users of the back end may look alike", async (t) => {
    const name = unique("dave");
    for (const sub of [name, name.toUpperCase()]) {
      const token = await signed(server, { sub, exp: epoch(600) });
      assert.equal((await comeBack(t, way, server, token)).name, sub);
    }
  });

  for (const [whose, change] of [
    ["the same", (it) => it],
    ["such a", (it) => it.toUpperCase()],
  ]) {
    test(`a user comes, and a guest of ${whose} name goes`, async (t) => {
      const room = unique("room");
      const name = unique("erin");
      const guest = await arrive(t, way, server, { room });
      await guest.identify(change(name));
      const second = await comeBack(t, plain, server, guest.token, { room });
      const user = await comeBack(t, way, server, await minted(server, name), { room });
      assert.equal(user.name, name);
      for (const it of [guest, second]) await lost(it);
      assert.equal(await way.refusal(server, { token: guest.token }), "name_taken");
      await fence(user, room, user);
    });
  }

  test("the next guest of a name has nothing of the one before", async (t) => {
    const room = unique("room");
    const bob = await enter(t, plain, server, "bob", { room });
    const first = await enter(t, way, server, "guest", { room });
    accepted(await first.ask("send message", { room, msg: "of the first" }));
    accepted(await first.ask("SingleChat", { to: bob.name, data: "of the first" }));
    accepted(await bob.ask("SingleChat", { to: first.name, data: "to the first" }));
    accepted(await first.ask("mute", { room, muted: true }));
    first.close();
    await bob.next("user left", ({ user }) => user === first.name);
    const next = await arrive(t, way, server, { room });
    await next.identify(first.name);
    const [seat] = next.welcome.rooms;
    assert.deepEqual(seat, { room, seq: 1, unread: 0, read: 1, role: "member" });
    assert.deepEqual(next.welcome.directs, []);
    assert.deepEqual(accepted(await next.ask("history", { with: bob.name })).messages, []);
    refused(await next.ask("edit message", { room, seq: 1, msg: "x" }), "forbidden");
    refused(await next.ask("delete message", { room, seq: 1 }), "forbidden");
    assert.equal((await next.ask("history", { room })).messages[0].msg, "of the first");
    accepted(await bob.ask("SingleChat", { to: first.name, data: "to the next" }));
    assert.equal((await next.next("SingleChat")).data, "to the next");
    const { messages } = accepted(await next.ask("history", { with: bob.name }));
    assert.deepEqual(
      messages.map(({ data }) => data),
      ["to the next"],
    );
  });

  /** Waits for the words and then for the end that is for good. */
  async function lost(client) {
    const { code, reconnect } = await client.next("closing");
    assert.deepEqual([code, reconnect], ["name_taken", false]);
    const end = await within("the end of the connection", client.gone);
    if (client.engine === undefined) {
      return assert.deepEqual(end, { code: 4502, reason: "name_taken" });
    }
    assert.equal(end, "io server disconnect");
  }

  /** Whether the client can say it: 1.x has only ASCII over polling. */
  function sayable(name) {
    return !way.asciiOnly || /^[\0-\x7f]*$/.test(name);
  }
}

/** Each test has a server of its own: what it remembers is the point. */
export function guestsAfterRestart(way, fresh) {
  test("a name that a token ever named is no guest's, also after a new start", async (t) => {
    const server = await fresh(t);
    const name = unique("Frank");
    (await comeBack(t, way, server, await minted(server, name))).close();
    await server.restart();
    const guest = await arrive(t, way, server);
    for (const it of [name, name.toLowerCase()]) {
      refused(await guest.ask("new user", it), "name_taken", it);
    }
    accepted(await guest.ask("new user", unique("grace")));
  });
}

/** `server` has `guests = "off"`. */
export function withoutGuests(way, server) {
  test("who has no token is turned away", async () => {
    if (way.wire === "socket.io") {
      return assert.equal(await way.refusal(server), "token_required");
    }
    assert.deepEqual(await way.guestRefusal(server), {
      why: "invalid_user",
      reconnect: false,
      code: 4001,
      reason: "Invalid user",
    });
  });

  test("who has a bad one is refused as everywhere", async () => {
    assert.equal(await way.refusal(server, { token: "nonsense" }), "unauthorized");
  });

  test("who has a good one is let in", async (t) => {
    const name = unique("ann");
    const ann = await comeBack(t, way, server, await minted(server, name));
    assert.equal(ann.name, name);
    refused(await ann.ask("new user", unique("other")), "already_identified");
  });
}
