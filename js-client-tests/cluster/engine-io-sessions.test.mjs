// An Engine.IO session belongs to one node; other nodes answer at once that it is unknown.

import assert from "node:assert/strict";
import { test } from "node:test";

import { clusterForThisFile } from "../support/cluster.mjs";
import { httpRequest, upgradeHeaders } from "../support/http.mjs";
import { RawPolling } from "../support/raw-clients.mjs";
import { withTimeout } from "../support/timeouts.mjs";

/** An answer without waiting for another node. */
const AT_ONCE_MS = 1000;

const cluster = clusterForThisFile({ nodes: 2 });

for (const version of [3, 4]) {
  test(`a session of another node is unknown: Engine.IO ${version}`, async () => {
    const [one, two] = cluster.nodes;
    const { handshake } = await RawPolling.open(one);
    const query = `EIO=${version}&sid=${handshake.sid}`;
    const polling = `/socket.io/?${query}&transport=polling`;
    const websocket = `/socket.io/?${query}&transport=websocket`;
    const requests = [
      httpRequest(two, polling),
      httpRequest(two, polling, { method: "POST", body: "40" }),
      httpRequest(two, websocket, { headers: upgradeHeaders() }),
    ];
    for (const { status, body } of await withTimeout(
      "the answers",
      Promise.all(requests),
      AT_ONCE_MS,
    )) {
      assert.equal(status, 400);
      const { code, message } = typeof body === "string" ? JSON.parse(body) : body;
      assert.deepEqual([code, message], [1, "Session ID unknown"]);
    }
  });
}
