import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { tokenLocations, tokenNotInQuery } from "../suites/token-locations.mjs";
import { connect } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { STRICT_TOKEN_SETTINGS, validToken } from "../support/token-cases.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({ settings: STRICT_TOKEN_SETTINGS });
const strict = serverForThisFile({
  settings: { ...STRICT_TOKEN_SETTINGS, "token.in_query": "off" },
});

describe("token locations on plain WebSocket", () => tokenLocations(wsJson, server));
describe("tokens in the address refused on plain WebSocket", () => tokenNotInQuery(wsJson, strict));

test("a token may be the password in the address", async (t) => {
  const name = unique("ann");
  const ann = await connect(t, wsJson, server, { credentials: ["user", validToken(name)] });
  assert.equal((await ann.waitForWelcome()).name, name);
});

test("the authentication scheme is case-insensitive", async (t) => {
  const name = unique("ann");
  const headers = { authorization: `bEaReR  ${validToken(name)}` };
  const ann = await connect(t, wsJson, server, { headers });
  assert.equal((await ann.waitForWelcome()).name, name);
});
