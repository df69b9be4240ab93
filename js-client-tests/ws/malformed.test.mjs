// Invalid frames. docs/protocol.md "Plain WebSocket".

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { barrier, connect, joinAsGuest } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile();

const FRAMES = {
  "an empty one": "",
  "not JSON": "helloworld",
  "truncated JSON": '{"event": "send message"',
  "two at once": '{"event":"GroupList"}{"event":"GroupList"}',
  "a number": "5",
  null: "null",
  "a list": '["send message", "hi"]',
  "an empty object": "{}",
  "no event": '{"data": "hi"}',
  "an event that is not text": '{"event": 5}',
  "an event that is null": '{"event": null, "data": "hi"}',
  "ack below zero": '{"event": "GroupList", "ack": -1}',
  "ack with a fraction": '{"event": "GroupList", "ack": 1.5}',
  "ack above 2^53-1": '{"event": "GroupList", "ack": 9007199254740992}',
  "ack as text": '{"event": "GroupList", "ack": "7"}',
  "nested too deeply": `{"event":"send message","data":${nested("[", "]")}}`,
  "nested objects": `{"event":"send message","data":${nested('{"a":', "}")}}`,
  "invalid base64": '{"event": "send message", "data": {"msg": {"base64": "*"}}}',
  bytes: Buffer.from([1, 2, 3]),
  "JSON in a binary frame": Buffer.from('{"event": "GroupList"}'),
};

test("an invalid frame is answered, and the connection stays", async (t) => {
  const room = unique("room");
  const ann = await joinAsGuest(t, wsJson, server, "ann", { room });
  const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
  for (const [what, frame] of Object.entries(FRAMES)) {
    await t.test(what, async () => {
      ann.sendRaw(frame);
      const { code, message } = await ann.next("error message");
      assert.equal(code, "bad_request");
      assert.equal(typeof message, "string");
    });
  }
  assert.equal((await barrier(ann, room, bob)).seq, 1);
});

test("an invalid frame whose `ack` can be read is answered with it", async (t) => {
  const ann = await joinAsGuest(t, wsJson, server, "ann", { room: unique("room") });
  for (const frame of ['{"data": "hi", "ack": 7}', '{"ack": 7, "event": 5}', '{"ack": 7, "x"']) {
    ann.sendRaw(frame);
    const { ack, code } = await ann.next("answer");
    assert.deepEqual([ack, code], [7, "bad_request"], frame);
  }
});

test("half a surrogate pair is delivered as U+FFFD", async (t) => {
  const ann = await joinAsGuest(t, wsJson, server, "ann", { room: unique("room") });
  ann.sendRaw('{"event": "send message", "data": "hi \\ud83d"}');
  assert.equal((await ann.next("new message")).msg, "hi \ufffd");
});

test("invalid frames of an unidentified connection are answered, too", async (t) => {
  const anonymous = await connect(t, wsJson, server);
  anonymous.sendRaw("helloworld");
  assert.equal((await anonymous.next("error message")).code, "bad_request");
  await anonymous.identify(unique("ann"));
});

test("`ack` may be any integer from 0 to 2^53-1, and is returned unchanged", async (t) => {
  const ann = await joinAsGuest(t, wsJson, server, "ann", { room: unique("room") });
  for (const ack of [0, 1, 2 ** 32, 2 ** 53 - 1]) {
    ann.send({ event: "GroupList", ack });
    const answer = assertOk(await ann.next("answer"));
    assert.deepEqual([answer.ack, answer.count], [ack, 1]);
  }
});

test("a frame with other keys is refused, and names them", async (t) => {
  const room = unique("room");
  const ann = await joinAsGuest(t, wsJson, server, "ann", { room });
  ann.send({ event: "join", room: "another", ack: 7 });
  const { message, ...refusal } = await ann.next("answer");
  const details = { unknown: ["room"] };
  assert.deepEqual(refusal, { ack: 7, ok: false, code: "bad_request", details });
  assert.match(message, /`room`.*`data`/);
  ann.sendRaw(' \n{ "dta": "x", "event" : "send message" } ');
  const error = await ann.next("error message");
  assert.deepEqual(error.details, { unknown: ["dta"], nearest: { dta: "data" } });
  assert.deepEqual(assertOk(await ann.ask("GroupList", null)).users, [ann.name]);
});

function nested(open, close) {
  return `${open.repeat(50_000)}1${close.repeat(50_000)}`;
}
