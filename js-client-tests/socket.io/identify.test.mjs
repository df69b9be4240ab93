import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { door } from "../chapters/door.mjs";
import { guests, withoutGuests } from "../chapters/guests.mjs";
import { identifying } from "../chapters/identify.mjs";
import { unique } from "../support/names.mjs";
import { arrive } from "../support/people.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { EVERY_WAY } from "../support/socket.io.mjs";

const server = serverForThisFile({ settings: { "limits.presence_grace_ms": 100 } });
const closed = serverForThisFile({ settings: { guests: "off" } });

for (const way of EVERY_WAY) {
  describe(`who you are over ${way.label}`, () => identifying(way, server));
  describe(`at the door over ${way.label}`, () => door(way, server));
  describe(`guests over ${way.label}`, () => guests(way, server));
  describe(`without guests over ${way.label}`, () => withoutGuests(way, closed));

  test(`"new user" is answered with two arguments over ${way.label}`, async (t) => {
    const ann = await arrive(t, way, server);
    const name = unique("ann");
    const [no, refusal, ...none] = await ann.requestRaw("new user", "");
    assert.deepEqual([no, Object.keys(refusal).sort(), none], [false, ["code", "message"], []]);
    assert.equal(refusal.code, "name_invalid");
    const [yes, { user, token }, ...nothing] = await ann.requestRaw("new user", name);
    assert.deepEqual([yes, user, typeof token, nothing], [true, name, "string", []]);
  });
}
