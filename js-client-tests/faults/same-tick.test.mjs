// Clients that emit in the tick in which they connect: no request and no answer is lost.

import assert from "node:assert/strict";
import { test } from "node:test";

import { accepted } from "../support/assert.mjs";
import { unique } from "../support/names.mjs";
import { LONG_PATIENCE, within } from "../support/patience.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { SocketIoClient, way } from "../support/socket.io.mjs";

const COUNT = 500;
const TOGETHER = 100;

const server = serverForThisFile();

const WAYS = [
  way("4.8", "websocket"),
  way("4.8", "polling"),
  way("4.8", "upgrade"),
  way("2.5", "websocket"),
  way("2.5", "upgrade"),
];

for (const way of WAYS) {
  test(`${COUNT} clients, ${way.label}, are all answered`, async (t) => {
    let answered = 0;
    for (let n = 0; n < COUNT; n += TOGETHER) {
      const batch = Array.from({ length: TOGETHER }, () => arriveAndEmit(t, way));
      const answers = await within(`${TOGETHER} answers`, Promise.all(batch), LONG_PATIENCE);
      for (const [named, said, listed] of answers) {
        accepted(named);
        assert.equal(accepted(said).seq, 1);
        assert.equal(accepted(listed).count, 1);
        answered += 1;
      }
    }
    assert.equal(answered, COUNT);
  });
}

/** Three requests in one breath with the connection; everybody has a room of their own. */
function arriveAndEmit(t, way) {
  const room = unique("room");
  const client = new SocketIoClient(way, way.open(server.url, { room }));
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
