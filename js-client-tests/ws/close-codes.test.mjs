// Frames that violate the WebSocket protocol, and the close code. docs/protocol.md "Closing".

import assert from "node:assert/strict";
import { test } from "node:test";

import { barrier, joinAsGuest } from "../support/fixtures.mjs";
import {
  BINARY,
  CLOSE,
  encodeFrame,
  PING,
  PONG,
  RawWebSocket,
  TEXT,
} from "../support/raw-clients.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({ settings: { "limits.presence_grace_ms": 100 } });

const text = (words, more = {}) =>
  encodeFrame({ opcode: TEXT, payload: Buffer.from(words), ...more });

/** What is sent after the handshake, and the code with which the server closes. */
const BROKEN = {
  "a frame without a mask": [1002, text("{}", { masked: false })],
  "reserved bits": [1002, text("{}", { rsv: 4 })],
  "a reserved opcode": [1002, encodeFrame({ opcode: 3 })],
  "a fragmented ping": [1002, encodeFrame({ opcode: PING, fin: false })],
  "a ping that is too long": [1002, encodeFrame({ opcode: PING, payload: Buffer.alloc(126) })],
  "a continuation without a beginning": [
    1002,
    encodeFrame({ opcode: 0, payload: Buffer.from("{}") }),
  ],
  "a length with its highest bit set": [
    1002,
    Buffer.from([0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]),
    1009,
  ],
  "text that is not UTF-8": [
    1007,
    encodeFrame({ opcode: TEXT, payload: Buffer.from([0xc3, 0x28]) }),
  ],
  "a frame that claims 2^40 bytes": [
    1009,
    Buffer.from([0x81, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
  ],
  "fragments that are too long together": [
    1009,
    Buffer.concat([
      text("x".repeat(2_400_000), { fin: false }),
      encodeFrame({ opcode: 0, payload: Buffer.alloc(2_400_000, "x") }),
    ]),
  ],
};

for (const [what, [code, bytes, alternative]] of Object.entries(BROKEN)) {
  test(`${what} ends the connection with ${code}`, async (t) => {
    const room = unique("room");
    const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
    const name = unique("ann");
    const raw = await RawWebSocket.open(t, server, `/ws/${room}`);
    raw.text(JSON.stringify({ event: "new user", data: name }));
    await raw.nextText((it) => it.includes("welcome"));
    await bob.next("user joined");
    raw.write(bytes);
    const sent = await raw.closeCode();
    assert.ok([code, alternative].includes(sent), `closed with ${sent}`);
    await raw.ended();
    assert.deepEqual(await bob.next("user left"), { room, user: name });
    assert.equal((await barrier(bob, room, bob)).seq, 1);
  });
}

test("a fragmented message is one message", async (t) => {
  const room = unique("room");
  const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
  const raw = await RawWebSocket.open(t, server, `/ws/${room}`);
  raw.text(JSON.stringify({ event: "new user", data: unique("ann") }));
  const whole = Buffer.from(JSON.stringify({ event: "send message", data: "Grüße" }));
  const cut = whole.indexOf(0xc3) + 1; // inside a character
  raw.write(encodeFrame({ opcode: TEXT, payload: whole.subarray(0, cut), fin: false }));
  raw.write(encodeFrame({ opcode: PING, payload: Buffer.from("between") }));
  raw.write(encodeFrame({ opcode: 0, payload: whole.subarray(cut) }));
  assert.equal((await raw.next(PONG)).payload.toString(), "between");
  assert.equal((await bob.next("new message")).msg, "Grüße");
});

test("a close frame is answered with a close frame", async (t) => {
  const raw = await RawWebSocket.open(t, server);
  const payload = Buffer.from([0x03, 0xe8]);
  raw.write(encodeFrame({ opcode: CLOSE, payload }));
  assert.equal(await raw.closeCode(), 1000);
  await raw.ended();
});

test("a binary frame is refused, and the connection stays", async (t) => {
  const raw = await RawWebSocket.open(t, server);
  raw.write(encodeFrame({ opcode: BINARY, payload: Buffer.from([0]) }));
  await raw.nextText((it) => it.includes("bad_request"));
  raw.text(JSON.stringify({ event: "new user", data: unique("ann"), ack: 1 }));
  await raw.nextText((it) => it.includes('"ok":true'));
});
