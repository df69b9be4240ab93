// Spaces: worlds of their own. docs/protocol.md "Connecting".

import assert from "node:assert/strict";
import { test } from "node:test";

import { accepted, refused } from "../support/assert.mjs";
import { unique } from "../support/names.mjs";
import { arrive, comeBack, enter } from "../support/people.mjs";
import { epoch, minted, signed } from "../support/tokens.mjs";

export const SPACES = { spaces: ["/shop", "/team-*"] };

/** What an unknown space is refused with at the door of each wire. */
const UNKNOWN = { ws: "unknown_space", "socket.io": "Invalid namespace" };

/** `server` has the settings above and a short grace. */
export function spaces(way, server) {
  test("the same names in two spaces are strangers", async (t) => {
    const room = unique("room");
    const shop = await enter(t, way, server, "ann", { room, space: "/shop" });
    const root = await arrive(t, way, server, { room });
    await root.identify(shop.name);
    accepted(await shop.ask("send message", "in the shop"));
    const answer = accepted(await root.ask("send message", "in the root"));
    assert.equal(answer.seq, 1);
    for (const [it, msg] of [
      [shop, "in the shop"],
      [root, "in the root"],
    ]) {
      assert.equal((await it.next("new message")).msg, msg);
      assert.deepEqual(it.take("new message"), []);
      assert.deepEqual(it.take("user joined"), []);
      assert.equal(accepted(await it.ask("GroupList")).count, 1);
      const { messages } = accepted(await it.ask("history"));
      assert.deepEqual(
        messages.map((message) => message.msg),
        [msg],
      );
    }
  });

  test("users of one space are unknown in another", async (t) => {
    const shop = await enter(t, way, server, "ann", { space: "/shop" });
    const red = await enter(t, way, server, "bob", { space: "/team-red" });
    refused(await red.ask("SingleChat", { to: shop.name, data: "x" }), "no_such_user");
  });

  test("spaces of one pattern are each their own", async (t) => {
    const room = unique("room");
    const red = await enter(t, way, server, "ann", { room, space: "/team-red" });
    const blue = await enter(t, way, server, "bob", { room, space: "/team-blue" });
    accepted(await red.ask("send message", "x"));
    assert.equal(accepted(await blue.ask("GroupList")).count, 1);
    assert.deepEqual(accepted(await blue.ask("history")).messages, []);
  });

  test("a space that is not in the settings is refused", async () => {
    for (const space of ["/nowhere", "/shop2", "/team-", "/shop/inside", "/SHOP"]) {
      assert.equal(await way.refusal(server, { space }), UNKNOWN[way.wire], space);
    }
  });

  test("a token opens the spaces that it names", async (t) => {
    const user = unique("ann");
    const token = await minted(server, user, "--space", "/shop");
    await comeBack(t, way, server, token, { space: "/shop" });
    assert.equal(await way.refusal(server, { token }), "space_forbidden");
    assert.equal(await way.refusal(server, { token, space: "/team-red" }), "space_forbidden");
  });

  test("a pattern in a token opens all that begin alike", async (t) => {
    const claims = { sub: unique("ann"), exp: epoch(3600), spaces: ["/team-*"] };
    const token = await signed(server, claims);
    await comeBack(t, way, server, token, { space: "/team-red" });
    assert.equal(await way.refusal(server, { token, space: "/shop" }), "space_forbidden");
  });
}
