import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { devices, newest } from "../chapters/devices.mjs";
import { unique } from "../support/names.mjs";
import { comeBack } from "../support/people.mjs";
import { serverForThisFile, serverForThisTest } from "../support/server.mjs";
import { minted } from "../support/tokens.mjs";
import { plain } from "../support/ws.mjs";

const grace = { "limits.presence_grace_ms": 100 };
const many = serverForThisFile({ settings: grace });
const one = serverForThisFile({ settings: { ...grace, devices: "newest" } });

describe("devices over plain WebSocket", () => devices(plain, many));
describe("the newest device over plain WebSocket", () => newest(plain, one));

test("a device is known after a new start", async (t) => {
  const server = await serverForThisTest(t);
  const [token, device] = [await minted(server, unique("ann")), unique("device")];
  const first = await comeBack(t, plain, server, token, { device });
  assert.equal(first.welcome.returning, false);
  await server.restart();
  const again = await comeBack(t, plain, server, token, { device });
  assert.equal(again.welcome.returning, true);
  assert.ok(Date.parse(again.welcome.lastSeen) <= Date.now());
});
