// The dialect `echo-protocol`. docs/dialects.md; the client R12.

import assert from "node:assert/strict";
import { test } from "node:test";

import { connectDialect } from "../support/dialect.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const ALLOWED_ORIGIN = "https://app.example";

const server = serverForThisFile({
  settings: {
    origins: [ALLOWED_ORIGIN],
    "limits.body_bytes_max": 1000,
    "limits.messages_per_second_max": 1,
    "limits.messages_burst_max": 10,
  },
});

/** A client in `room`. */
async function open(t, room, headers) {
  const address = { path: `/ws/${room}`, protocols: ["echo-protocol"], headers };
  const client = await connectDialect(t, server, address);
  assert.equal(client.socket.protocol, "echo-protocol");
  await client.answer(Buffer.from("ready?")); // it is in the room
  return client;
}

test("R12: text goes to every client as it is, bytes go back to their sender", async (t) => {
  const room = unique("room");
  const ann = await open(t, room, { origin: ALLOWED_ORIGIN });
  const bob = await open(t, room);
  for (const text of ["hello", ' "quoted" ', '{"a":1}', "Grüße 😀", "\u0000"]) {
    ann.send(text);
    for (const client of [ann, bob]) assert.equal(await client.next(), text);
  }
  const bytes = Buffer.from([0, 1, 255]);
  assert.deepEqual(await ann.answer(bytes), bytes);
  bob.send("last");
  assert.equal(await bob.next(), "last", "bob has not received the bytes");
});

test("blank text returns to its sender alone", async (t) => {
  const room = unique("room");
  const [ann, bob] = [await open(t, room), await open(t, room)];
  for (const blank of ["", "  \n"]) assert.equal(await ann.answer(blank), blank);
  ann.send("last");
  assert.equal(await bob.next(), "last");
});

test("the origin is checked before the upgrade", async () => {
  const extra = { headers: { origin: "https://evil.example" } };
  const answer = await wsJson.refusalAnswer(server, { protocols: ["echo-protocol"], extra });
  assert.deepEqual([answer.status, answer.body.code], [403, "origin_forbidden"]);
});

test("bytes of others arrive as bytes", async (t) => {
  const room = unique("room");
  const ann = await open(t, room);
  const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
  await bob.ask("send message", { room, msg: { base64: "AAH/" } });
  assert.deepEqual(await ann.next(), Buffer.from([0, 1, 255]));
});

test("a text that is too large, and too many, close with a code", async (t) => {
  const large = await open(t, unique("room"));
  large.send("x".repeat(1001));
  assert.deepEqual(await large.close(), { code: 1009, reason: "frame_too_large" });
  const fast = await open(t, unique("room"));
  for (let i = 0; i < 30; i += 1) fast.send(`${i}`);
  assert.deepEqual(await fast.close(), { code: 4004, reason: "flood" });
});
