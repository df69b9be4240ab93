// A guest who leaves a space and enters it again. docs/protocol.md "Who you are".

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";

import { serverForThisFile } from "../support/server.mjs";
import { ALL_SOCKET_IO } from "../support/socket.io.mjs";
import { withTimeout } from "../support/timeouts.mjs";
import { unique } from "../support/unique.mjs";

const server = serverForThisFile({ settings: { spaces: ["/shop"] } });

for (const clientType of ALL_SOCKET_IO.filter(({ legacy }) => !legacy)) {
  test(`a guest's token enters a space again on its transport: ${clientType.label}`, async (t) => {
    const root = clientType.open(server.url);
    t.after(() => root.io._close());
    await next(root, "connect");
    let token;
    // It opens by itself: `open()` would send a second CONNECT, which ends the session.
    const shop = root.io.socket("/shop", { auth: (send) => send({ token }) });
    shop.on("welcome", (welcome) => {
      token = welcome.token ?? token;
    });
    await next(shop, "connect");
    const name = unique("ann");
    const identified = next(shop, "welcome");
    shop.emit("new user", name);
    const [{ user }] = await identified;
    assert.equal(user, name);
    const { id } = root.io.engine;
    shop.disconnect();
    const again = next(shop, "welcome");
    shop.connect();
    assert.equal((await again)[0].user, name);
    token = undefined;
    shop.disconnect();
    shop.connect();
    await next(shop, "connect");
    const answer = await new Promise((resolve) => shop.emit("GroupList", {}, resolve));
    assert.equal(answer.code, "not_identified");
    assert.equal(root.io.engine.id, id);
  });
}

const next = (socket, event) => withTimeout(`\`${event}\``, once(socket, event));
