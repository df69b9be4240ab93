// A back end that is slow, wrong, huge, closed, half closed, or fails, and that answers again.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { assertOk, assertRefused } from "../support/assert.mjs";
import { BackEnd, gate } from "../support/back-end.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { serverForThisFile, serverForThisTest } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { unique } from "../support/unique.mjs";
import { waitUntil } from "../support/wait-until.mjs";
import { wsJson } from "../support/ws.mjs";

const backEnd = await BackEnd.forThisFile();
const expectedLog = [/back end only fails, and is not called for now/];
const server = serverForThisFile({ settings: backEnd.settings(), expectedLog });
const generous = { ...backEnd.settings({ on_failure: "allow" }) };
const allowing = serverForThisFile({ settings: generous, expectedLog });

/** How a back end fails: a function of the call and the response. */
const FAILURES = {
  "answers 500": (_, response) => void response.writeHead(500).end("oops"),
  redirects: (_, response) => void response.writeHead(302, { Location: "/other" }).end(),
  "answers HTML": (_, response) => void response.end("<html>"),
  "answers another form": () => ({ ok: true }),
  "asks for something unknown": () => ({ do: [{ shout: {} }] }),
  "is huge": (_, response) => void response.end(`{"ack":["${"x".repeat(5 << 20)}"]}`),
  "closes without an answer": (_, response) => void response.destroy(),
  "closes in the middle": (_, response) => {
    response.writeHead(200, { "Content-Length": 100 });
    response.write('{"ack":[');
    response.destroy();
  },
  "never answers": () => {},
  "begins to answer and stops": (_, response) => void response.write('{"ack":['),
};

for (const clientType of [socketIo("4.8", "websocket"), wsJson]) {
  describe(`a back end that fails, behind ${clientType.label}`, () => {
    for (const [name, fail] of Object.entries(FAILURES)) {
      test(`it ${name}`, async (t) => {
        const event = unique("event");
        backEnd.answer(event, fail);
        const ann = await joinAsGuest(t, clientType, server, "ann");
        assertRefused(await ann.askWith(event, []), "unavailable");
        const bob = await joinAsGuest(t, clientType, allowing, "bob");
        assert.deepEqual(await bob.askWith(event, []), { ok: true });
        // Neither the connection nor the circuit suffers from one failure.
        backEnd.answer(event, { ack: ["fine"] });
        await answered(ann, event);
        await answered(bob, event);
      });
    }
  });
}

/** Asks until the back end answers. */
async function answered(client, event) {
  await waitUntil("an answer", async () => {
    const answer = await client.askWith(event, []);
    return answer === "fine" || answer.args?.[0] === "fine";
  });
}

test("who does not ask it is not delayed", async (t) => {
  const event = unique("event");
  const { opened, open } = gate();
  backEnd.answer(event, async () => {
    await opened;
    return {};
  });
  const [ann, bob] = [
    await joinAsGuest(t, wsJson, server, "ann"),
    await joinAsGuest(t, wsJson, server, "bob"),
  ];
  const asked = ann.askWith(event, []);
  assertOk(await bob.ask("send message", "hello"));
  assertOk(await bob.askWith(unique("event"), []));
  open();
  assertOk(await asked);
});

test("a back end that only fails is not called, until it answers again", async (t) => {
  const own = await serverForThisTest(t, {
    settings: backEnd.settings(),
    expectedLog,
    logging: { format: "json" },
  });
  const event = unique("event");
  const ann = await joinAsGuest(t, wsJson, own, "ann");
  await backEnd.close();
  for (let n = 0; n < 5; n += 1) assertRefused(await ann.askWith(event, []), "unavailable");
  const logged = (words) => own.log.filter((line) => line.includes(words)).length;
  await waitUntil("a warning", async () => logged("only fails") === 1);
  await backEnd.listen();
  backEnd.answer(event, { ack: ["fine"] });
  await answered(ann, event);
  await waitUntil("the end of it in the log", async () => logged("answers again") === 1);
  assert.equal(logged("only fails"), 1);
});
