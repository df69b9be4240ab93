import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { door } from "../chapters/door.mjs";
import { guests, guestsAfterRestart, withoutGuests } from "../chapters/guests.mjs";
import { identifying } from "../chapters/identify.mjs";
import { unique } from "../support/names.mjs";
import { arrive } from "../support/people.mjs";
import { serverForThisFile, serverForThisTest } from "../support/server.mjs";
import { plain } from "../support/ws.mjs";

const server = serverForThisFile({ settings: { "limits.presence_grace_ms": 100 } });
const closed = serverForThisFile({ settings: { guests: "off" } });

describe("who you are over plain WebSocket", () => identifying(plain, server));
describe("at the door over plain WebSocket", () => door(plain, server));
describe("guests over plain WebSocket", () => guests(plain, server));
describe("guests after a new start", () => guestsAfterRestart(plain, serverForThisTest));
describe("without guests over plain WebSocket", () => withoutGuests(plain, closed));

test("the answer to `new user` is one object", async (t) => {
  const ann = await arrive(t, plain, server);
  const name = unique("ann");
  const answer = await ann.ask("new user", name);
  assert.deepEqual(answer, { ok: true, user: name, token: answer.token });
});
