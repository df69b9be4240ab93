// Clients that send requests as soon as they connect: no request and no acknowledgement is lost.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { SocketIoClient, socketIo } from "../support/socket.io.mjs";
import { LONG_TIMEOUT_MS, withTimeout } from "../support/timeouts.mjs";
import { unique } from "../support/unique.mjs";

const COUNT = 500;
const TOGETHER = 100;

const server = serverForThisFile();

const CLIENT_TYPES = [
  socketIo("4.8", "websocket"),
  socketIo("4.8", "polling"),
  socketIo("4.8", "upgrade"),
  socketIo("2.5", "websocket"),
  socketIo("2.5", "upgrade"),
];

for (const clientType of CLIENT_TYPES) {
  test(`${COUNT} clients, ${clientType.label}, get all acknowledgements`, async (t) => {
    let answered = 0;
    for (let n = 0; n < COUNT; n += TOGETHER) {
      const batch = Array.from({ length: TOGETHER }, () => arriveAndEmit(t, clientType));
      const answers = await withTimeout(`${TOGETHER} answers`, Promise.all(batch), LONG_TIMEOUT_MS);
      for (const [named, sent, listed] of answers) {
        assertOk(named);
        assert.equal(assertOk(sent).seq, 1);
        assert.equal(assertOk(listed).count, 1);
        answered += 1;
      }
    }
    assert.equal(answered, COUNT);
  });
}

/** Three requests in the tick of the connect event, each client in its own room. */
function arriveAndEmit(t, clientType) {
  const room = unique("room");
  const client = new SocketIoClient(clientType, clientType.open(server.url, { room }));
  t.after(() => client.close());
  return new Promise((resolve, reject) => {
    client.socket.on("connect", () => {
      const requests = [
        client.request("new user", unique("one")),
        client.request("send message", "hello"),
        client.request("GroupList"),
      ];
      Promise.all(requests).then(resolve, reject);
    });
    client.connected.catch(reject);
  });
}
