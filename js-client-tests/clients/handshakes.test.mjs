// Handshakes of clients that are not run here, in the forms that docs/clients.md names.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { joinAsGuest, readMissed } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { formatSince, socketIo } from "../support/socket.io.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile();
const OFFICIAL = socketIo("4.8", "websocket");

for (const [where, options] of [
  ["a map of texts in `auth`", (texts) => ({ extra: { auth: texts } })],
  ["a client without `auth`, in the query", (texts) => ({ query: texts })],
]) {
  test(`${where}: token, epoch and since`, async (t) => {
    const ann = await joinAsGuest(t, OFFICIAL, server, "ann");
    const { seq } = assertOk(await ann.ask("send message", "missed"));
    const { token, name, welcome } = ann;
    const since = formatSince({ lobby: seq - 1 });
    const texts = { token, epoch: welcome.epoch, since };
    const back = await OFFICIAL.connect(server, options(texts));
    t.after(() => back.close());
    await back.waitForWelcome();
    assert.equal(back.name, name);
    const missed = await readMissed(back);
    assert.deepEqual(
      missed.map((it) => [it.seq, it.msg]),
      [[seq, "missed"]],
    );
  });
}

test("arduinoWebSockets needs another subprotocol and no origin", async (t) => {
  const refusals = [
    [403, "origin_forbidden", { headers: { Origin: "file://" }, protocols: ["roomcast.json"] }],
    [400, "bad_request", { protocols: ["arduino"] }],
  ];
  for (const [expected, code, options] of refusals) {
    const { status, body } = await wsJson.refusalAnswer(server, options);
    assert.deepEqual([status, body.code], [expected, code]);
  }
  const esp = await wsJson.connect(server, { protocols: ["roomcast.json"] });
  t.after(() => esp.close());
  assert.equal(esp.socket.protocol, "roomcast.json");
  assertOk(await esp.ask("new user", "esp"));
});
