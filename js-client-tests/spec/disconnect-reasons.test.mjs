// Why a connection ended, in the words of each official client: as with the official server 4.8.

import assert from "node:assert/strict";
import { test } from "node:test";

import { connect } from "../support/fixtures.mjs";
import { serverForThisFile, serverForThisTest } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { withTimeout } from "../support/timeouts.mjs";

const server = serverForThisFile({ settings: { spaces: ["/shop"] } });

const CLIENT_TYPES = ["4.8", "3.1", "2.5", "1.7"].flatMap((version) =>
  ["polling", "websocket"].map((transport) => socketIo(version, transport)),
);

/**
 * Over polling, a pending poll is answered with a close packet. Without one the next poll is an error,
 * because the session is gone.
 */
const CLOSED = { websocket: ["transport close"], polling: ["transport close", "transport error"] };

const LEFT = ["io client disconnect"];

/** What a client sends, and the reasons that it may see. */
const SENT = {
  "a packet that is cut off": [({ engine }) => engine.write("42["), CLOSED],
  "an event to a space that is not joined": [({ engine }) => engine.write('2/shop,["x"]'), CLOSED],
  "a frame that is too large": [
    (client) => client.emit("GroupList", "x".repeat(5_000_000)),
    CLOSED,
  ],
  "a disconnect": [({ socket }) => socket.disconnect(), { websocket: LEFT, polling: LEFT }],
};

for (const clientType of CLIENT_TYPES) {
  const { transport } = clientType;

  for (const [name, [send, reasons]] of Object.entries(SENT)) {
    test(`${name}: ${clientType.label}`, async (t) => {
      const ann = await connect(t, clientType, server);
      send(ann);
      const reason = await withTimeout("the end of the connection", ann.closed);
      assert.ok(reasons[transport].includes(reason), reason);
    });
  }

  test(`a server that is killed: ${clientType.label}`, async (t) => {
    const server = await serverForThisTest(t);
    const ann = await connect(t, clientType, server);
    await server.kill9();
    const expected = transport === "websocket" ? "transport close" : "transport error";
    assert.equal(await withTimeout("the end of the connection", ann.closed), expected);
  });

  test(`a server that hangs: ${clientType.label}`, async (t) => {
    const settings = { "limits.ping_interval_ms": 300, "limits.ping_timeout_ms": 300 };
    const server = await serverForThisTest(t, { settings });
    const ann = await connect(t, clientType, server);
    process.kill(server.pid, "SIGSTOP");
    try {
      assert.equal(await withTimeout("the end of the connection", ann.closed), "ping timeout");
    } finally {
      process.kill(server.pid, "SIGCONT");
    }
  });
}
