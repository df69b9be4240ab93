// Bytes in bodies. docs/protocol.md "Client to server" and "Plain WebSocket".

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";

import { assertOk, assertRefused } from "../support/assert.mjs";
import { barrier, connectWithToken, joinAsGuest } from "../support/fixtures.mjs";
import { unique } from "../support/unique.mjs";

const BYTES = Buffer.from(Array.from({ length: 256 }, (_, n) => n));

export function binaryBodies(clientType, server) {
  const { write, read } = bodyCodec(clientType);

  test("bytes alone are a body", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    assertOk(await ann.ask("send message", { room, msg: write(BYTES) }));
    for (const it of [ann, bob]) {
      assert.deepEqual(read((await it.next("new message")).msg), BYTES);
    }
    assertOk(await ann.ask("send message", write(BYTES)));
    assert.deepEqual(read((await bob.next("new message")).msg), BYTES);
    assertOk(await ann.ask("GroupChat", { room, data: write(BYTES) }));
    assert.deepEqual(read((await bob.next("GroupChat")).data), BYTES);
    assertOk(await ann.ask("SingleChat", { to: bob.name, data: write(BYTES) }));
    assert.deepEqual(read((await bob.next("SingleChat")).data), BYTES);
  });

  test("bytes at the limit are accepted, one more is not", async (t) => {
    const ann = await joinAsGuest(t, clientType, server, "ann", { room: unique("room") });
    const most = ann.welcome.limits.bodyBytesMax;
    const bytes = (length) => write(randomBytes(length));
    assertOk(await ann.ask("send message", bytes(most)));
    assertRefused(await ann.ask("send message", bytes(most + 1)), "message_too_large");
    assertOk(await ann.ask("send message", { msg: [bytes(most - 2)] }));
    assertRefused(await ann.ask("send message", { msg: [bytes(most - 1)] }), "message_too_large");
  });

  test("bytes keep their position in the JSON around them", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    const parts = [BYTES, [BYTES.subarray(1, 4)], { last: Buffer.from([0]) }];
    const msg = { name: "a.bin", parts };
    assertOk(await ann.ask("send message", { room, msg: write(msg) }));
    assert.deepEqual(read((await bob.next("new message")).msg), msg);
  });

  // A Socket.IO packet with more ends its session: spec/socket.io-packets.test.mjs.
  const isRefused = clientType.wire === "ws" || clientType.parser;
  test("ten attachments are accepted, eleven are refused", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    const ten = Array.from({ length: 10 }, (_, n) => Buffer.from([n]));
    const eleven = write([...ten, Buffer.from([10])]);
    for (const [event, received, data] of [
      ["send message", "new message", (msg) => ({ room, msg })],
      ["GroupChat", "GroupChat", (data) => ({ room, data })],
      ["SingleChat", "SingleChat", (data) => ({ to: bob.name, data })],
      ["edit message", "message edited", (msg) => ({ room, seq: 1, msg })],
    ]) {
      assertOk(await ann.ask(event, data(write(ten))));
      const { msg, data: body = msg } = await bob.next(received);
      assert.deepEqual(read(body), ten, event);
      if (isRefused)
        assertRefused(await ann.ask(event, data(eleven)), "too_many_attachments", event);
    }
    await barrier(ann, room, bob);
  });

  test("a repeated id with the same bytes is a duplicate, with other bytes a conflict", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const id = unique("id");
    const first = assertOk(await ann.ask("send message", { room, msg: write(BYTES), id }));
    const again = await ann.ask("send message", { room, msg: write(BYTES), id });
    assert.deepEqual(again, { ...first, duplicate: true });
    const other = write(Buffer.from(BYTES).fill(1));
    assertRefused(await ann.ask("send message", { room, msg: other, id }), "conflict");
  });

  test("bytes are in history and in missed messages", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const msg = { a: BYTES, b: "text", c: [BYTES] };
    assertOk(await ann.ask("send message", { room, msg: write(msg) }));
    const page = assertOk(await ann.ask("history", { room }));
    assert.deepEqual(read(page.messages[0].msg), msg);
    const bob = await connectWithToken(t, clientType, server, ann.token, {
      room,
      since: { [room]: 0 },
    });
    const { messages } = await bob.next("missed");
    assert.deepEqual(read(messages[0].msg), msg);
  });

  test("a page of history holds at most ten attachments, the next page the rest", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    for (let n = 1; n <= 7; n += 1) {
      const msg = [n, BYTES, BYTES, BYTES];
      assertOk(await ann.ask("send message", { room, msg: write(msg) }));
    }
    const forth = [];
    for (let page = { more: true }; page.more; ) {
      page = assertOk(await ann.ask("history", { room, after: forth.at(-1) ?? 0 }));
      assert.ok(
        page.messages.length === 3 || !page.more,
        "a page of three messages has nine attachments",
      );
      forth.push(...page.messages.map(({ seq }) => seq));
    }
    assert.deepEqual(forth, [1, 2, 3, 4, 5, 6, 7]);
    const back = assertOk(await ann.ask("history", { room }));
    assert.deepEqual([back.messages.map(({ seq }) => seq), back.more], [[5, 6, 7], true]);
    const since = { [room]: 0 };
    const missed = [];
    const bob = await connectWithToken(t, clientType, server, ann.token, { room, since });
    for (let more = true; more; ) {
      const page = await bob.next("missed");
      assert.ok(page.messages.length <= 3);
      missed.push(...page.messages);
      more = page.more;
    }
    assert.deepEqual(
      missed.map(({ msg }) => read(msg)[0]),
      [1, 2, 3, 4, 5, 6, 7],
    );
  });
}

/** How a client type encodes bytes in a body, and decodes what it receives. */
export function bodyCodec({ wire, msgpack }) {
  const same = (it) => it;
  if (msgpack) return { write: same, read: same };
  return wire === "ws" ? { write: toBase64, read: fromBase64 } : { write: same, read: asBuffers };
}

/** Replaces bytes by `{"base64": "…"}`, at any depth. */
export function toBase64(value) {
  return map(value, (bytes) => ({ base64: bytes.toString("base64") }));
}

/** The reverse. */
export function fromBase64(value) {
  if (typeof value?.base64 === "string") return Buffer.from(value.base64, "base64");
  return map(value, undefined, fromBase64);
}

/** Official clients deliver a Buffer or an ArrayBuffer. */
export function asBuffers(value) {
  if (value instanceof ArrayBuffer) return Buffer.from(value);
  return map(value, (bytes) => Buffer.from(bytes), asBuffers);
}

function map(value, bytes, each = (it) => map(it, bytes)) {
  if (value === null || typeof value !== "object") return value;
  if (ArrayBuffer.isView(value)) return bytes(value);
  if (Array.isArray(value)) return value.map(each);
  return Object.fromEntries(Object.entries(value).map(([key, it]) => [key, each(it)]));
}
