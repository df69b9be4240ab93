// Packets of `socket.io-msgpack-parser` 3.0.2 on WebSocket and polling: what they look like, and which
// ones end a session, as with the official server 4.8. docs/protocol.md "Socket.IO".

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import parser from "socket.io-msgpack-parser";

import { httpRequest } from "../support/http.mjs";
import { BINARY, CLOSE, encodeFrame, RawWebSocket, TEXT } from "../support/raw-clients.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { MSGPACK_PATH } from "../support/socket.io.mjs";
import { waitUntil } from "../support/wait-until.mjs";

const server = serverForThisFile({ settings: { spaces: ["/shop"] } });

const [CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR] = [0, 1, 2, 3, 4];
const QUERY = "EIO=4&transport=polling";
const BYTES = Buffer.from([0, 1, 255]);
/** `{type: 2, nsp: "/", data: …}` up to the data. */
const EVENT_HEAD = Buffer.from("\x83\xa4type\x02\xa3nsp\xa1/\xa4data", "latin1");

const event = (...data) => ({ type: EVENT, data, nsp: "/" });
const withData = (bytes) => Buffer.concat([EVENT_HEAD, Buffer.from(bytes, "latin1")]);

/** Messages that end a session which is connected to `/`. */
const ENDS = {
  "an empty message": Buffer.alloc(0),
  nil: Buffer.from([0xc0]),
  "the reserved byte": Buffer.from([0xc1]),
  "a list": encode([EVENT, "/", ["GroupList"]]),
  "a packet that is cut off": encode(event("GroupList")).subarray(0, 20),
  "bytes after the packet": Buffer.concat([encode(event("x")), Buffer.from([0])]),
  "two packets": Buffer.concat([encode(event("x")), encode(event("x"))]),
  "no type": { nsp: "/", data: ["x"] },
  "a type that is a text": { ...event("x"), type: "2" },
  "a type that is a fraction": { ...event("x"), type: 2.5 },
  "a type below zero": { ...event("x"), type: -1 },
  "type 5": { ...event("x"), type: 5 },
  "a refusal": { type: CONNECT_ERROR, nsp: "/", data: {} },
  "no namespace": { type: EVENT, data: ["x"] },
  "a namespace that is a number": { ...event("x"), nsp: 1 },
  "an empty namespace": { ...event("x"), nsp: "" },
  "a namespace with the separator of payloads": { ...event("x"), nsp: "/\x1e" },
  "a space that is not joined": { ...event("x"), nsp: "/shop" },
  "no data": { type: EVENT, nsp: "/" },
  "data that is nil": { ...event(), data: null },
  "data that is an object": { ...event(), data: { 0: "x" } },
  "data that is a text": { ...event(), data: "x" },
  "an event that is empty": event(),
  "a number that is a text": { ...event("x"), id: "1" },
  "a number that is nil": { ...event("x"), id: null },
  "a number that is a fraction": { ...event("x"), id: 0.5 },
  "a number below zero": { ...event("x"), id: -1 },
  "a second CONNECT": { type: CONNECT, nsp: "/" },
  "CONNECT with nil": { type: CONNECT, nsp: "/shop", data: null },
  "CONNECT with a list": { type: CONNECT, nsp: "/shop", data: [] },
  "a disconnect with data": { type: DISCONNECT, nsp: "/", data: {} },
  "a list of four billion arguments": withData("\xdd\xff\xff\xff\xff"),
  "a text of four billion bytes": withData("\x91\xdb\xff\xff\xff\xff"),
  "four billion bytes": withData("\x92\xa1x\xc6\xff\xff\xff\xff"),
  "an ArrayBuffer of four billion bytes": withData("\x92\xa1x\xc9\xff\xff\xff\xff\x00"),
  "a Date that is cut off": withData("\x92\xa1x\xd7\x00\x00"),
  "a text that is not UTF-8": withData("\x92\xa1x\xa1\xff"),
  "a key that is a number": withData("\x92\xa1x\x81\x01\x01"),
  "a key twice": withData("\x92\xa1x\x82\xa1a\x01\xa1a\x01"),
};

/** Messages that end no session. */
const CONTINUES = {
  "an event that nobody knows": event("x"),
  "what the client writes beside": { ...event("x"), options: { compress: true } },
  "an acknowledgement that nobody expects": { type: ACK, nsp: "/", data: [1, BYTES], id: 7 },
  "an acknowledgement without number": { type: ACK, nsp: "/", data: [1] },
  "a name that is a number": event(7),
  "a number as a float": withData("\x91\xcb\x40\x1c\x00\x00\x00\x00\x00\x00"),
};

/** Arguments that the server cannot read, and the code of the answer. */
const REFUSED = {
  "too deep": [deep(70), "bad_request"],
  "very deep": [deep(2000), "bad_request"],
  "eleven byte strings": [Array(11).fill(BYTES), "too_many_attachments"],
  "a placeholder of the default parser": [{ _placeholder: true, num: 0 }, "bad_request"],
  "a Date in the year 12000": [new Date(316_516_032_000_000), "bad_request"],
};

class WebSocketTransport {
  static label = "websocket";

  static async open(t) {
    const transport = new WebSocketTransport();
    transport.raw = await RawWebSocket.open(t, server, `${MSGPACK_PATH}?EIO=4&transport=websocket`);
    await transport.raw.nextText((packet) => packet.startsWith("0"));
    return transport;
  }

  sendBytes(payload) {
    this.raw.write(encodeFrame({ opcode: BINARY, payload }));
  }

  sendText(text) {
    this.raw.text(text);
  }

  async nextBytes() {
    for (;;) {
      const { opcode, payload } = await this.raw.nextFrame();
      assert.ok(opcode !== TEXT && opcode !== CLOSE, `${opcode}: ${payload}`);
      if (opcode === BINARY) return payload;
    }
  }

  ended() {
    return this.raw.ended();
  }
}

class PollingTransport {
  static label = "polling";
  #packets = [];

  static async open() {
    const transport = new PollingTransport();
    const { body } = await httpRequest(server, `${MSGPACK_PATH}?${QUERY}`);
    transport.sid = JSON.parse(body.slice(1)).sid;
    transport.path = `${MSGPACK_PATH}?${QUERY}&sid=${transport.sid}`;
    return transport;
  }

  sendBytes(message) {
    return this.sendText(`b${message.toString("base64")}`);
  }

  async sendText(body) {
    const answer = await httpRequest(server, this.path, { method: "POST", body });
    assert.deepEqual([answer.status, answer.body], [200, "ok"]);
  }

  async nextBytes() {
    if (this.#packets.length === 0) {
      const { status, body } = await httpRequest(server, this.path);
      assert.equal(status, 200, body);
      this.#packets = body.split("\x1e");
    }
    const packet = this.#packets.shift();
    assert.ok(packet.startsWith("b"), packet);
    return Buffer.from(packet.slice(1), "base64");
  }

  /** Polls until the session is unknown. */
  ended() {
    return waitUntil("the end of the session", async () => {
      const { status } = await httpRequest(server, this.path);
      return status === 400;
    });
  }
}

for (const Transport of [WebSocketTransport, PollingTransport]) {
  describe(`socket.io-msgpack-parser over ${Transport.label}`, () => {
    for (const [name, message] of Object.entries(ENDS)) {
      test(`ends the session: ${name}`, async (t) => {
        const session = await connect(t, Transport);
        await session.send(message);
        await session.ended();
      });
    }

    for (const [name, text] of Object.entries({
      "a packet of the default parser": '42["GroupList"]',
      "CONNECT of the default parser": "40/shop,",
      "bytes that are not base64": "b!!",
      "a ping": "2",
    })) {
      test(`ends the session: ${name}`, async (t) => {
        const session = await connect(t, Transport);
        await session.sendText(text);
        await session.ended();
      });
    }

    for (const [name, message] of Object.entries(CONTINUES)) {
      test(`does not end the session: ${name}`, async (t) => {
        const session = await connect(t, Transport);
        await session.send(message);
        await session.assertContinues();
      });
    }

    for (const [name, [argument, code]] of Object.entries(REFUSED)) {
      test(`is answered with a code: ${name}`, async (t) => {
        const session = await connect(t, Transport);
        await session.send({ ...event("send message", argument), id: 1 });
        const answer = await session.next(({ type }) => type === ACK);
        assert.deepEqual([answer.id, answer.data[0].code], [1, code]);
        await session.assertContinues();
      });
    }

    test("packets are maps, whose bytes are `bin`", async (t) => {
      const session = await open(t, Transport);
      await session.send({ type: CONNECT, nsp: "/" });
      const connected = await session.next();
      assert.deepEqual(Object.keys(connected).sort(), ["data", "nsp", "type"]);
      assert.match(connected.data.sid, /^[\w-]{16,}$/);
      assert.deepEqual([connected.type, connected.nsp], [CONNECT, "/"]);
      await session.send({ ...event("new user", `ann-${Transport.label}`), id: 0 });
      const { data, ...head } = await session.next(({ type }) => type === ACK);
      assert.deepEqual([head, data[0]], [{ type: ACK, nsp: "/", id: 0 }, true]);
      const { buffer } = new Uint8Array(BYTES);
      const sent = [BYTES, buffer, new Date(5), undefined, { a: undefined, b: 1 }];
      await session.send(event("send message", { msg: sent }));
      const message = await session.next(({ data: [name] }) => name === "new message");
      const expected = [BYTES, BYTES, "1970-01-01T00:00:00.005Z", null, { b: 1 }];
      assert.deepEqual(message.data[1].msg, expected);
      assert.deepEqual(Object.keys(message).sort(), ["data", "nsp", "type"]);
    });

    test("spaces are joined, refused and left", async (t) => {
      const session = await connect(t, Transport);
      await session.send({ type: CONNECT, nsp: "/nope" });
      assert.deepEqual(await session.next(({ nsp }) => nsp === "/nope"), {
        type: CONNECT_ERROR,
        nsp: "/nope",
        data: { message: "Invalid namespace" },
      });
      await session.send({ type: CONNECT, nsp: "/shop", data: { token: "x" } });
      const refused = await session.next(({ nsp }) => nsp === "/shop");
      assert.equal(refused.type, CONNECT_ERROR);
      assert.equal(refused.data.message, "unauthorized");
      assert.equal(refused.data.data.code, "unauthorized");
      await session.send({ type: CONNECT, nsp: "/shop", data: {} });
      assert.equal((await session.next(({ nsp }) => nsp === "/shop")).type, CONNECT);
      await session.send({ ...event("GroupList"), nsp: "/shop", id: 3 });
      assert.equal((await session.next(({ type }) => type === ACK)).nsp, "/shop");
      await session.send({ type: DISCONNECT, nsp: "/shop" });
      await session.assertContinues();
    });
  });
}

test("a message in fragments, with a ping between, is one packet", async (t) => {
  const session = await connect(t, WebSocketTransport);
  const message = encode({ ...event("GroupList"), id: 5 });
  const frames = [
    { opcode: BINARY, payload: message.subarray(0, 7), fin: false },
    { opcode: 9 },
    { opcode: 0, payload: message.subarray(7, 9), fin: false },
    { opcode: 0, payload: message.subarray(9) },
  ];
  session.transport.raw.write(Buffer.concat(frames.map(encodeFrame)));
  assert.equal((await session.next(({ type }) => type === ACK)).id, 5);
});

test("a message at the limit is read, one byte more closes with 1009", async (t) => {
  const max = 4_194_304;
  const size = (argument) => encode(event("x", argument)).length;
  const longest = "x".repeat(max - size("x".repeat(70_000)) + 70_000);
  assert.equal(size(longest), max);
  const session = await connect(t, WebSocketTransport);
  // The text of the default parser is shorter than the map, so it is within the limit, too.
  await session.send(event("x", longest));
  await session.assertContinues();
  await session.send(event("x", `${longest}x`));
  assert.equal(await session.transport.raw.closeCode(), 1009);
});

test("a message whose text is too long closes with 1009", async (t) => {
  const session = await connect(t, WebSocketTransport);
  await session.send(event("x", "\x01".repeat(800_000)));
  assert.equal(await session.transport.raw.closeCode(), 1009);
});

test("a session stays at its path", async (t) => {
  const { sid } = await PollingTransport.open(t);
  const there = await httpRequest(server, `/socket.io/?${QUERY}&sid=${sid}`);
  assert.deepEqual([there.status, there.body.code], [400, 3]);
  for (const path of [MSGPACK_PATH, MSGPACK_PATH.slice(0, -1)]) {
    const version3 = await httpRequest(server, `${path}?EIO=3&transport=polling`);
    assert.deepEqual([version3.status, version3.body.code], [400, 5]);
  }
});

function encode(packet) {
  return new parser.Encoder().encode(packet)[0];
}

function decode(message) {
  let packet;
  const decoder = new parser.Decoder();
  decoder.on("decoded", (it) => {
    packet = it;
  });
  decoder.add(message);
  return packet;
}

function deep(depth) {
  return depth === 0 ? 1 : [deep(depth - 1)];
}

/** A session without a space. */
async function open(t, Transport) {
  return new Session(await Transport.open(t));
}

/** A session that is connected to `/`. */
async function connect(t, Transport) {
  const session = await open(t, Transport);
  await session.send({ type: CONNECT, nsp: "/" });
  await session.next(({ type }) => type === CONNECT);
  return session;
}

class Session {
  constructor(transport) {
    this.transport = transport;
  }

  /** Sends a packet, or bytes as they are. */
  send(packet) {
    return this.transport.sendBytes(Buffer.isBuffer(packet) ? packet : encode(packet));
  }

  sendText(text) {
    return this.transport.sendText(text);
  }

  /** The next packet for which `where` holds. No packet is a text. */
  async next(where = () => true) {
    for (;;) {
      const packet = decode(await this.transport.nextBytes());
      if (where(packet)) return packet;
    }
  }

  ended() {
    return this.transport.ended();
  }

  async assertContinues() {
    await this.send({ ...event("GroupList"), id: 999 });
    await this.next(({ type, id }) => type === ACK && id === 999);
  }
}
