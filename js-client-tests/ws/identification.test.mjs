import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { connectParameters } from "../suites/connect-parameters.mjs";
import { guests, guestsAfterRestart, guestsDisabled } from "../suites/guests.mjs";
import { identification } from "../suites/identification.mjs";
import { connect } from "../support/fixtures.mjs";
import { serverForThisFile, serverForThisTest } from "../support/server.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({ settings: { "limits.presence_grace_ms": 100 } });
const closed = serverForThisFile({ settings: { guests: "off" } });

describe("identification over plain WebSocket", () => identification(wsJson, server));
describe("connect parameters over plain WebSocket", () => connectParameters(wsJson, server));
describe("guests over plain WebSocket", () => guests(wsJson, server));
describe("guests after a restart", () => guestsAfterRestart(wsJson, serverForThisTest));
describe("without guests over plain WebSocket", () => guestsDisabled(wsJson, closed));

test("the acknowledgement of `new user` is one object", async (t) => {
  const ann = await connect(t, wsJson, server);
  const name = unique("ann");
  const answer = await ann.ask("new user", name);
  assert.deepEqual(answer, { ok: true, user: name, token: answer.token });
});
