// How a connection ended, as webhooks are told (docs/webhooks.md, `connection.closed`) and as the
// figures of the Admin UI have it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ADMIN_UI_SETTINGS, AdminClient } from "../support/admin-ui.mjs";
import { connect } from "../support/fixtures.mjs";
import { CLOSE, encodeFrame, RawPolling, RawWebSocket } from "../support/raw-clients.mjs";
import { serverForThisTest } from "../support/server.mjs";
import { SOME_SOCKET_IO, socketIo } from "../support/socket.io.mjs";
import { waitUntil } from "../support/wait-until.mjs";
import { WebhookReceiver } from "../support/webhook-receiver.mjs";
import { wsJson } from "../support/ws.mjs";

/** Each way to end a connection, and the reason. */
const ENDS = [
  ...SOME_SOCKET_IO.map((clientType) => ({
    name: `disconnect: ${clientType.label}`,
    reason: "client_namespace_disconnect",
    end: official(clientType, (socket) => socket.disconnect()),
  })),
  {
    name: "a close frame without a disconnect: Socket.IO",
    reason: "transport_close",
    end: official(socketIo("4.8", "websocket"), (socket) => socket.io.engine.close()),
  },
  {
    name: "a lost socket: Socket.IO",
    reason: "transport_close",
    end: official(socketIo("4.8", "websocket"), (socket) => {
      socket.io.engine.transport.ws.terminate();
    }),
  },
  {
    name: "a close packet without a disconnect: Socket.IO over polling",
    reason: "transport_close",
    async end(_, server) {
      const raw = await openPolling(server);
      await raw.post("1");
    },
  },
  {
    name: "no more polls: Socket.IO over polling",
    reason: "ping_timeout",
    end: (_, server) => openPolling(server),
  },
  {
    name: "no pong: Socket.IO",
    reason: "ping_timeout",
    end: (t, server) => openRaw(t, server),
  },
  {
    name: "a packet that is none: Socket.IO",
    reason: "parse_error",
    end: async (t, server) => (await openRaw(t, server)).text("x"),
  },
  {
    name: "a close frame: /ws",
    reason: "client_namespace_disconnect",
    end: official(wsJson, (socket) => socket.close()),
  },
  {
    name: "the close frame of a page that was left: /ws",
    reason: "transport_close",
    async end(t, server) {
      const raw = await RawWebSocket.open(t, server);
      const payload = Buffer.from([1001 >> 8, 1001 & 0xff]);
      raw.write(encodeFrame({ opcode: CLOSE, payload }));
    },
  },
  {
    name: "a lost socket: /ws",
    reason: "transport_close",
    end: official(wsJson, (socket) => socket.terminate()),
  },
  {
    name: "no pong: /ws",
    reason: "ping_timeout",
    end: (t, server) => RawWebSocket.open(t, server),
  },
  {
    name: "a frame that is none: /ws",
    reason: "parse_error",
    end: async (t, server) =>
      (await RawWebSocket.open(t, server)).write(encodeFrame({ opcode: 5 })),
  },
];

/** The words of Socket.IO. */
const WORDS = {
  client_namespace_disconnect: "client namespace disconnect",
  transport_close: "transport close",
  ping_timeout: "ping timeout",
  parse_error: "parse error",
};

test("webhooks and the Admin UI are told how connections ended", async (t) => {
  const receiver = await WebhookReceiver.start(t);
  const server = await serverForThisTest(t, {
    settings: {
      ...ADMIN_UI_SETTINGS,
      webhooks: [receiver.webhook("ends", { events: ["connection.closed"] })],
      "limits.ping_interval_ms": 300,
      // The others answer pings in time, also on a busy machine.
      "limits.ping_timeout_ms": 2000,
    },
  });
  const page = await AdminClient.connect(t, server);
  for (const [number, { name, reason, end }] of ENDS.entries()) {
    await t.test(name, async (t) => {
      await end(t, server);
      const told = () => receiver.events("ends");
      await waitUntil("connection.closed", async () => number < told().length);
      assert.equal(told()[number].data.reason, reason);
    });
  }
  await page.until("all ends", () => page.counts.rawDisconnection === ENDS.length);
  const expected = {};
  for (const { reason } of ENDS) expected[WORDS[reason]] = (expected[WORDS[reason]] ?? 0) + 1;
  assert.deepEqual(page.ends, expected);
});

/** Connects with a library, and ends that with what the library has for it. */
function official(clientType, act) {
  return async (t, server) => act((await connect(t, clientType, server)).socket);
}

async function openRaw(t, server) {
  const raw = await RawWebSocket.open(t, server, "/socket.io/?EIO=4&transport=websocket");
  raw.text("40");
  await raw.nextText((packet) => packet.startsWith("40"));
  return raw;
}

async function openPolling(server) {
  const raw = await RawPolling.open(server);
  await raw.post("40");
  await raw.next((packet) => packet.startsWith("40"));
  return raw;
}
