import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { devices, newestDeviceOnly } from "../suites/devices.mjs";
import { barrier, connectWithToken } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { SOME_SOCKET_IO } from "../support/socket.io.mjs";
import { withTimeout } from "../support/timeouts.mjs";
import { mintToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const grace = { "limits.presence_grace_ms": 100 };
const many = serverForThisFile({ settings: grace });
const one = serverForThisFile({ settings: { ...grace, devices: "newest", spaces: ["/shop"] } });

for (const clientType of SOME_SOCKET_IO) {
  describe(`devices over ${clientType.label}`, () => devices(clientType, many));
  describe(`the newest device over ${clientType.label}`, () => newestDeviceOnly(clientType, one));

  test(`a client that is replaced in one space stays in the others: ${clientType.label}`, async (t) => {
    const token = await mintToken(one, unique("ann"));
    const root = await connectWithToken(t, clientType, one, token, { device: unique("device") });
    const shop = await root.openSpace("/shop", { token });
    await shop.waitForWelcome();
    const newer = await connectWithToken(t, wsJson, one, token, { device: unique("device") });
    assert.equal((await root.next("closing")).code, "replaced");
    assert.equal(await withTimeout("the end of the space", root.closed), "io server disconnect");
    await barrier(shop, undefined, shop);
    assert.deepEqual(shop.take("closing"), []);
    await barrier(newer, undefined, newer);
  });
}
