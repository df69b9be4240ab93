import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { connectParameters } from "../suites/connect-parameters.mjs";
import { guests, guestsAfterRestart, guestsDisabled } from "../suites/guests.mjs";
import { identification } from "../suites/identification.mjs";
import { connect } from "../support/fixtures.mjs";
import { serverForThisFile, serverForThisTest } from "../support/server.mjs";
import { ALL_SOCKET_IO, socketIo } from "../support/socket.io.mjs";
import { unique } from "../support/unique.mjs";

const server = serverForThisFile({ settings: { "limits.presence_grace_ms": 100 } });
const closed = serverForThisFile({ settings: { guests: "off" } });

describe("guests after a restart", () =>
  guestsAfterRestart(socketIo("4.8", "upgrade"), serverForThisTest));

for (const clientType of ALL_SOCKET_IO) {
  describe(`identification over ${clientType.label}`, () => identification(clientType, server));
  describe(`connect parameters over ${clientType.label}`, () =>
    connectParameters(clientType, server));
  describe(`guests over ${clientType.label}`, () => guests(clientType, server));
  describe(`without guests over ${clientType.label}`, () => guestsDisabled(clientType, closed));

  test(`"new user" is acknowledged with two arguments over ${clientType.label}`, async (t) => {
    const ann = await connect(t, clientType, server);
    const name = unique("ann");
    const [no, refusal, ...none] = await ann.requestRaw("new user", "");
    assert.deepEqual([no, Object.keys(refusal).sort(), none], [false, ["code", "message"], []]);
    assert.equal(refusal.code, "name_invalid");
    const [yes, { user, token }, ...nothing] = await ann.requestRaw("new user", name);
    assert.deepEqual([yes, user, typeof token, nothing], [true, name, "string", []]);
  });
}
