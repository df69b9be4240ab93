// Two spaces on one Socket.IO connection and one on `/ws`: nothing crosses.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { SPACES } from "../chapters/spaces.mjs";
import { accepted } from "../support/assert.mjs";
import { unique } from "../support/names.mjs";
import { within } from "../support/patience.mjs";
import { enter, fence } from "../support/people.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { EVERY_WAY } from "../support/socket.io.mjs";
import { plain } from "../support/ws.mjs";

const server = serverForThisFile({ settings: { ...SPACES, "limits.presence_grace_ms": 100 } });

for (const way of EVERY_WAY) {
  describe(`several spaces on one connection of ${way.label}`, () => {
    test("each has its own identity, rooms and messages", async (t) => {
      const room = unique("room");
      const root = await enter(t, way, server, "ann");
      const shop = await root.also("/shop");
      await shop.identify(unique("carol"));
      const bob = await enter(t, plain, server, "bob", { space: "/shop" });
      for (const it of [root, shop, bob]) accepted(await it.ask("join", room));
      const text = unique("text");
      accepted(await shop.ask("send message", { room, msg: `shop ${text}` }));
      accepted(await shop.ask("GroupChat", { room, data: `shop ${text}` }));
      accepted(await root.ask("send message", { room, msg: `root ${text}` }));
      accepted(await root.ask("GroupChat", { room, data: `root ${text}` }));
      assert.equal((await bob.next("new message")).msg, `shop ${text}`);
      assert.equal((await bob.next("GroupChat")).data, `shop ${text}`);
      assert.equal((await root.next("new message")).msg, `root ${text}`);
      await fence(bob, room, shop);
      await fence(root, room);
      assert.deepEqual(
        shop.take("new message").map(({ msg }) => msg),
        [`shop ${text}`],
      );
      for (const it of [root, shop, bob]) {
        const foreign = it === root ? "shop" : "root";
        assert.deepEqual(it.take("GroupChat"), []);
        const { users } = accepted(await it.ask("GroupList", { room }));
        assert.equal(users.includes(foreign === "shop" ? shop.name : root.name), false);
        const { messages } = accepted(await it.ask("history", { room }));
        assert.ok(!JSON.stringify(messages).includes(`${foreign} ${text}`));
      }
    });

    test("leaving one leaves the other as it is", async (t) => {
      const room = unique("room");
      const root = await enter(t, way, server, "ann", { room });
      const shop = await root.also("/shop");
      await shop.identify(unique("ann"));
      accepted(await shop.ask("join", room));
      const bob = await enter(t, plain, server, "bob", { room, space: "/shop" });
      shop.socket.disconnect();
      assert.deepEqual(await bob.next("user left"), { room, user: shop.name });
      await fence(root, room, root);
    });

    test("an unknown one is refused, and the connection lives", async (t) => {
      const root = await enter(t, way, server, "ann", { room: unique("room") });
      await assert.rejects(root.also("/nowhere"), { message: "Invalid namespace" });
      await fence(root, undefined, root);
    });

    test("the end of the connection is the end in all", async (t) => {
      const root = await enter(t, way, server, "ann");
      const shop = await root.also("/shop");
      await shop.identify(unique("carol"));
      const bob = await enter(t, plain, server, "bob", { space: "/shop" });
      const dave = await enter(t, plain, server, "dave");
      root.vanish();
      await bob.next("user left", ({ user }) => user === shop.name);
      await dave.next("user left", ({ user }) => user === root.name);
      await within("the end in the other space", shop.gone);
    });
  });
}
