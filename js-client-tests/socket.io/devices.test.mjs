import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { devices, newest } from "../chapters/devices.mjs";
import { unique } from "../support/names.mjs";
import { within } from "../support/patience.mjs";
import { comeBack, fence } from "../support/people.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { SOME_WAYS } from "../support/socket.io.mjs";
import { minted } from "../support/tokens.mjs";
import { plain } from "../support/ws.mjs";

const grace = { "limits.presence_grace_ms": 100 };
const many = serverForThisFile({ settings: grace });
const one = serverForThisFile({ settings: { ...grace, devices: "newest", spaces: ["/shop"] } });

for (const way of SOME_WAYS) {
  describe(`devices over ${way.label}`, () => devices(way, many));
  describe(`the newest device over ${way.label}`, () => newest(way, one));

  test(`who is replaced in one space stays in the others: ${way.label}`, async (t) => {
    const token = await minted(one, unique("ann"));
    const root = await comeBack(t, way, one, token, { device: unique("device") });
    const shop = await root.also("/shop", { token });
    await shop.welcomed();
    const young = await comeBack(t, plain, one, token, { device: unique("device") });
    assert.equal((await root.next("closing")).code, "replaced");
    assert.equal(await within("the end of the space", root.gone), "io server disconnect");
    await fence(shop, undefined, shop);
    assert.deepEqual(shop.take("closing"), []);
    await fence(young, undefined, young);
  });
}
