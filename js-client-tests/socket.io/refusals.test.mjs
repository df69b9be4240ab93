import { describe, test } from "node:test";

import { refusals } from "../suites/refusals.mjs";
import { assertErrorEvent, assertRefused } from "../support/assert.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { ALL_SOCKET_IO, MSGPACK_SOCKET_IO } from "../support/socket.io.mjs";
import { unique } from "../support/unique.mjs";

const server = serverForThisFile();

for (const clientType of [...ALL_SOCKET_IO, ...MSGPACK_SOCKET_IO]) {
  describe(`refusals over ${clientType.label}`, () => {
    refusals(clientType, server);

    test("the name of an event may be a number", async (t) => {
      const ann = await joinAsGuest(t, clientType, server, "ann", { room: unique("room") });
      assertRefused(await ann.ask(300, "x"), "unknown_event");
      ann.emit(300, "x");
      assertErrorEvent(await ann.next("error message"), "300", "unknown_event");
    });
  });
}
