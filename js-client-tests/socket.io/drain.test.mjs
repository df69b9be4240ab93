// The server leaves: everyone is told, and official clients come back by themselves.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { accepted, dense } from "../support/assert.mjs";
import { unique } from "../support/names.mjs";
import { within } from "../support/patience.mjs";
import { enter, readUntil } from "../support/people.mjs";
import { serverForThisTest } from "../support/server.mjs";
import { EVERY_WAY, remembering } from "../support/socket.io.mjs";
import { plain } from "../support/ws.mjs";

for (const way of EVERY_WAY) {
  describe(`the server leaves ${way.label}`, () => {
    test("it says so, ends the transport, and the client may come back", async (t) => {
      const server = await serverForThisTest(t);
      const ann = await enter(t, way, server, "ann");
      const { code } = await server.leave("SIGTERM");
      assert.equal(code, 0, server.log.join("\n"));
      const { afterMs, ...why } = await ann.next("closing");
      assert.deepEqual(why, { code: "draining", reconnect: true });
      assert.ok(Number.isInteger(afterMs) && 0 <= afterMs);
      const reason = await within("the end of the connection", ann.gone);
      assert.ok(["transport close", "transport error"].includes(reason), reason);
      if (!way.old && ann.socket.active !== undefined) assert.equal(ann.socket.active, true);
    });

    test("the client is back by itself, as who it was, and missed nothing", async (t) => {
      const server = await serverForThisTest(t);
      const room = unique("room");
      const memory = { room };
      const ann = await enter(t, way, server, "ann", { room, ...remembering(way, memory) });
      accepted(await ann.ask("send message", "before"));
      await ann.next("new message");
      Object.assign(memory, { token: ann.token, since: { [room]: 1 } });
      await server.restart();
      const bob = await enter(t, plain, server, "bob", { room });
      const said = Array.from({ length: 20 }, (_, n) => ({ msg: n }));
      (await bob.askAll("send message", said)).forEach(accepted);
      const name = ann.name;
      assert.equal((await ann.welcomed()).name, name);
      const seen = [];
      await readUntil(ann, seen, 20);
      dense(seen, 2);
      assert.deepEqual(
        seen.map(({ msg }) => msg),
        said.map(({ msg }) => msg),
      );
    });
  });
}
