// Spaces: isolated from each other. docs/protocol.md "Connecting".

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk, assertRefused } from "../support/assert.mjs";
import { connect, connectWithToken, joinAsGuest } from "../support/fixtures.mjs";
import { epochSeconds, mintToken, signToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";

export const SPACES = { spaces: ["/shop", "/team-*"] };

/** How each transport refuses an unknown space. */
const UNKNOWN = { ws: "unknown_space", "socket.io": "Invalid namespace" };

/** `server` has the settings above and a short grace period. */
export function spaces(clientType, server) {
  test("the same names in two spaces are different users and rooms", async (t) => {
    const room = unique("room");
    const shop = await joinAsGuest(t, clientType, server, "ann", { room, space: "/shop" });
    const root = await connect(t, clientType, server, { room });
    await root.identify(shop.name);
    assertOk(await shop.ask("send message", "in the shop"));
    const answer = assertOk(await root.ask("send message", "in the root"));
    assert.equal(answer.seq, 1);
    for (const [it, msg] of [
      [shop, "in the shop"],
      [root, "in the root"],
    ]) {
      assert.equal((await it.next("new message")).msg, msg);
      assert.deepEqual(it.take("new message"), []);
      assert.deepEqual(it.take("user joined"), []);
      assert.equal(assertOk(await it.ask("GroupList")).count, 1);
      const { messages } = assertOk(await it.ask("history"));
      assert.deepEqual(
        messages.map((message) => message.msg),
        [msg],
      );
    }
  });

  test("users of one space are unknown in another", async (t) => {
    const shop = await joinAsGuest(t, clientType, server, "ann", { space: "/shop" });
    const red = await joinAsGuest(t, clientType, server, "bob", { space: "/team-red" });
    assertRefused(await red.ask("SingleChat", { to: shop.name, data: "x" }), "no_such_user");
  });

  test("spaces that match one pattern are separate", async (t) => {
    const room = unique("room");
    const red = await joinAsGuest(t, clientType, server, "ann", { room, space: "/team-red" });
    const blue = await joinAsGuest(t, clientType, server, "bob", { room, space: "/team-blue" });
    assertOk(await red.ask("send message", "x"));
    assert.equal(assertOk(await blue.ask("GroupList")).count, 1);
    assert.deepEqual(assertOk(await blue.ask("history")).messages, []);
  });

  test("a space that is not in the settings is refused", async () => {
    for (const space of ["/nowhere", "/shop2", "/team-", "/shop/inside", "/SHOP"]) {
      assert.equal(await clientType.refusal(server, { space }), UNKNOWN[clientType.wire], space);
    }
  });

  test("a token opens the spaces that it names", async (t) => {
    const user = unique("ann");
    const token = await mintToken(server, user, "--space", "/shop");
    await connectWithToken(t, clientType, server, token, { space: "/shop" });
    assert.equal(await clientType.refusal(server, { token }), "space_forbidden");
    assert.equal(
      await clientType.refusal(server, { token, space: "/team-red" }),
      "space_forbidden",
    );
  });

  test("a pattern in a token opens all matching spaces", async (t) => {
    const claims = { sub: unique("ann"), exp: epochSeconds(3600), spaces: ["/team-*"] };
    const token = await signToken(server, claims);
    await connectWithToken(t, clientType, server, token, { space: "/team-red" });
    assert.equal(await clientType.refusal(server, { token, space: "/shop" }), "space_forbidden");
  });
}
