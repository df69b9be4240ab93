import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { devices, newestDeviceOnly } from "../suites/devices.mjs";
import { connectWithToken } from "../support/fixtures.mjs";
import { serverForThisFile, serverForThisTest } from "../support/server.mjs";
import { mintToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const grace = { "limits.presence_grace_ms": 100 };
const many = serverForThisFile({ settings: grace });
const one = serverForThisFile({ settings: { ...grace, devices: "newest" } });

describe("devices over plain WebSocket", () => devices(wsJson, many));
describe("the newest device over plain WebSocket", () => newestDeviceOnly(wsJson, one));

test("a device is recognized after a restart", async (t) => {
  const server = await serverForThisTest(t);
  const [token, device] = [await mintToken(server, unique("ann")), unique("device")];
  const first = await connectWithToken(t, wsJson, server, token, { device });
  assert.equal(first.welcome.returning, false);
  await server.restart();
  const again = await connectWithToken(t, wsJson, server, token, { device });
  assert.equal(again.welcome.returning, true);
  assert.ok(Date.parse(again.welcome.lastSeen) <= Date.now());
});
