// Two spaces on one Socket.IO connection and one on `/ws` are isolated.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { SPACES } from "../suites/spaces.mjs";
import { assertOk } from "../support/assert.mjs";
import { barrier, joinAsGuest } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { ALL_SOCKET_IO } from "../support/socket.io.mjs";
import { withTimeout } from "../support/timeouts.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({ settings: { ...SPACES, "limits.presence_grace_ms": 100 } });

for (const clientType of ALL_SOCKET_IO) {
  describe(`several spaces on one connection of ${clientType.label}`, () => {
    test("each has its own identity, rooms and messages", async (t) => {
      const room = unique("room");
      const root = await joinAsGuest(t, clientType, server, "ann");
      const shop = await root.openSpace("/shop");
      await shop.identify(unique("carol"));
      const bob = await joinAsGuest(t, wsJson, server, "bob", { space: "/shop" });
      for (const it of [root, shop, bob]) assertOk(await it.ask("join", room));
      const text = unique("text");
      assertOk(await shop.ask("send message", { room, msg: `shop ${text}` }));
      assertOk(await shop.ask("GroupChat", { room, data: `shop ${text}` }));
      assertOk(await root.ask("send message", { room, msg: `root ${text}` }));
      assertOk(await root.ask("GroupChat", { room, data: `root ${text}` }));
      assert.equal((await bob.next("new message")).msg, `shop ${text}`);
      assert.equal((await bob.next("GroupChat")).data, `shop ${text}`);
      assert.equal((await root.next("new message")).msg, `root ${text}`);
      await barrier(bob, room, shop);
      await barrier(root, room);
      assert.deepEqual(
        shop.take("new message").map(({ msg }) => msg),
        [`shop ${text}`],
      );
      for (const it of [root, shop, bob]) {
        const otherSpace = it === root ? "shop" : "root";
        assert.deepEqual(it.take("GroupChat"), []);
        const { users } = assertOk(await it.ask("GroupList", { room }));
        assert.equal(users.includes(otherSpace === "shop" ? shop.name : root.name), false);
        const { messages } = assertOk(await it.ask("history", { room }));
        assert.ok(!JSON.stringify(messages).includes(`${otherSpace} ${text}`));
      }
    });

    test("leaving one space does not affect the other", async (t) => {
      const room = unique("room");
      const root = await joinAsGuest(t, clientType, server, "ann", { room });
      const shop = await root.openSpace("/shop");
      await shop.identify(unique("ann"));
      assertOk(await shop.ask("join", room));
      const bob = await joinAsGuest(t, wsJson, server, "bob", { room, space: "/shop" });
      shop.socket.disconnect();
      assert.deepEqual(await bob.next("user left"), { room, user: shop.name });
      await barrier(root, room, root);
    });

    test("an unknown space is refused, and the connection stays", async (t) => {
      const root = await joinAsGuest(t, clientType, server, "ann", { room: unique("room") });
      await assert.rejects(root.openSpace("/nowhere"), { message: "Invalid namespace" });
      await barrier(root, undefined, root);
    });

    test("the end of the connection ends all its spaces", async (t) => {
      const root = await joinAsGuest(t, clientType, server, "ann");
      const shop = await root.openSpace("/shop");
      await shop.identify(unique("carol"));
      const bob = await joinAsGuest(t, wsJson, server, "bob", { space: "/shop" });
      const dave = await joinAsGuest(t, wsJson, server, "dave");
      root.drop();
      await bob.next("user left", ({ user }) => user === shop.name);
      await dave.next("user left", ({ user }) => user === root.name);
      await withTimeout("the end of the other space", shop.closed);
    });
  });
}
