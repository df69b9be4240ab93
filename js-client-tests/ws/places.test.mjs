import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { places, placesButTheQuery } from "../chapters/places.mjs";
import { unique } from "../support/names.mjs";
import { good, STRICT } from "../support/operator.mjs";
import { arrive } from "../support/people.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { plain } from "../support/ws.mjs";

const server = serverForThisFile({ settings: STRICT });
const strict = serverForThisFile({ settings: { ...STRICT, "token.in_query": "off" } });

describe("a token on plain WebSocket", () => places(plain, server));
describe("no token in the address of plain WebSocket", () => placesButTheQuery(plain, strict));

test("a token may be the password in the address", async (t) => {
  const name = unique("ann");
  const ann = await arrive(t, plain, server, { credentials: ["anybody", good(name)] });
  assert.equal((await ann.welcomed()).name, name);
});

test("schemes and their names may be written in any case", async (t) => {
  const name = unique("ann");
  const headers = { authorization: `bEaReR  ${good(name)}` };
  const ann = await arrive(t, plain, server, { headers });
  assert.equal((await ann.welcomed()).name, name);
});
