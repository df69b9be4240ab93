import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { door } from "../chapters/door.mjs";
import { identifying, identifyingWithoutGuests } from "../chapters/identify.mjs";
import { unique } from "../support/names.mjs";
import { arrive, enter } from "../support/people.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { minted } from "../support/tokens.mjs";
import { plain } from "../support/ws.mjs";

const server = serverForThisFile({ settings: { "limits.presence_grace_ms": 100 } });
const closed = serverForThisFile({ settings: { guests: "off" } });

describe("who you are over plain WebSocket", () => identifying(plain, server));
describe("at the door over plain WebSocket", () => door(plain, server));
describe("without guests over plain WebSocket", () => identifyingWithoutGuests(plain, closed));

test("a token may come in a header", async (t) => {
  const name = unique("ann");
  const headers = { authorization: `Bearer ${await minted(server, name)}` };
  const ann = await arrive(t, plain, server, { extra: { headers } });
  await ann.welcomed();
  assert.equal(ann.name, name);
});

test("a bad token in a header is refused, whatever the query says", async (t) => {
  const ann = await enter(t, plain, server, "ann");
  const extra = { headers: { authorization: "Bearer nonsense" } };
  assert.equal(await plain.refusal(server, { extra }), "unauthorized");
  assert.equal(await plain.refusal(server, { extra, token: ann.token }), "unauthorized");
});

test("the answer to `new user` is one object", async (t) => {
  const ann = await arrive(t, plain, server);
  const name = unique("ann");
  const answer = await ann.ask("new user", name);
  assert.deepEqual(answer, { ok: true, user: name, token: answer.token });
});
