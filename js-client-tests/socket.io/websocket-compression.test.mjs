// The official clients with compressed messages. docs/protocol.md "Compression".

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { binaryBodies } from "../suites/binary.mjs";
import { assertOk } from "../support/assert.mjs";
import { barrier, connect, joinAsGuest } from "../support/fixtures.mjs";
import { Server, serverForThisFile } from "../support/server.mjs";
import { socketIo, waitForUpgrade } from "../support/socket.io.mjs";
import { unique } from "../support/unique.mjs";

const server = serverForThisFile({ settings: { websocket_compression: "on" } });

const TEXT = "Ünï ".repeat(5000);
const BYTES = Buffer.alloc(5000, 7);

/** A type of client that compresses what has `threshold` bytes. */
function compressing(version, transport, threshold = 0) {
  const clientType = socketIo(version, transport);
  const open = clientType.open.bind(clientType);
  clientType.open = (url, { extra, ...options } = {}) =>
    open(url, { extra: { perMessageDeflate: { threshold }, ...extra }, ...options });
  return clientType;
}

for (const version of ["4.8", "3.1", "2.5"]) {
  for (const transport of ["websocket", "upgrade"]) {
    const clientType = compressing(version, transport);
    describe(`bytes over ${clientType.label}`, () => binaryBodies(clientType, server));
    test(`large messages are compressed, ${clientType.label}`, (t) =>
      largeMessages(t, clientType, server));
  }
}

test("large messages are compressed with connection state recovery", async (t) => {
  const other = new Server({
    settings: { websocket_compression: "on", "limits.recovery_ms": 60_000 },
  });
  await other.start();
  t.after(() => other.stop());
  await largeMessages(t, compressing("4.8", "websocket"), other);
});

async function largeMessages(t, clientType, server) {
  const room = unique("room");
  const ann = await joinAsGuest(t, clientType, server, "ann", { room });
  const extra = { perMessageDeflate: false };
  const bob = await joinAsGuest(t, socketIo("4.8", "websocket"), server, "bob", { room, extra });
  if (clientType.transport === "upgrade") await waitForUpgrade(ann);
  await barrier(ann, room, ann, bob); // the upgrade is complete
  const [{ ws: compressed }, { ws: plain }] = [ann.engine.transport, bob.engine.transport];
  assert.deepEqual([compressed.extensions, plain.extensions], ["permessage-deflate", ""]);
  const { bytesRead, bytesWritten } = compressed._socket;
  const { bytesRead: plainBytes } = plain._socket;
  for (const sender of [ann, bob]) {
    assertOk(await sender.ask("send message", { room, msg: [TEXT, BYTES] }));
    const fromSender = ({ username }) => username === sender.name;
    for (const receiver of [ann, bob]) {
      const { msg } = await receiver.next("new message", fromSender);
      assert.deepEqual([msg[0], Buffer.from(msg[1])], [TEXT, BYTES]);
    }
  }
  assert.ok(compressed._socket.bytesRead - bytesRead < 5000, "received bytes");
  assert.ok(compressed._socket.bytesWritten - bytesWritten < 5000, "sent bytes");
  assert.ok(plain._socket.bytesRead - plainBytes > 2 * TEXT.length);
}

test("it is off by default", async (t) => {
  const other = new Server();
  await other.start();
  t.after(() => other.stop());
  const ann = await connect(t, compressing("4.8", "websocket"), other);
  assert.equal(ann.engine.transport.ws.extensions, "");
});
