// RFC 7692: `permessage-deflate` on Socket.IO's WebSocket. docs/protocol.md "Compression".

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  assertCompressed,
  COMPRESSED,
  compressed,
  deflate,
  inflate,
  NEGOTIATIONS,
  OFFER,
  rawCompressed,
  words,
} from "../support/deflate.mjs";
import { EngineIoPolling, enginePath, upgradeRequest } from "../support/engine.io.mjs";
import { BINARY, encodeFrame, PING, PONG, RawWebSocket, TEXT } from "../support/raw-clients.mjs";
import { Server, serverForThisFile } from "../support/server.mjs";
import { unique } from "../support/unique.mjs";

const FRAME_BYTES_MAX = 700_000;
const SETTINGS = {
  "limits.frame_bytes_max": FRAME_BYTES_MAX,
  "limits.body_bytes_max": 100_000,
  "sqlite.synchronous": "normal",
};

const server = serverForThisFile({ settings: { ...SETTINGS, websocket_compression: "on" } });

/** A session whose handshake was received, and nothing else. */
async function open(t, { headers = OFFER, version = 4, on = server, query = "" } = {}) {
  const path = enginePath(`EIO=${version}&transport=websocket${query}`);
  const raw = await RawWebSocket.open(t, on, path, headers);
  if (!query) assert.match(await raw.nextText(), /^0\{/);
  return raw;
}

/** A guest in a room, who has compressed every packet if that was agreed on. */
async function join(t, room, options = {}) {
  const raw = await open(t, options);
  const isOn = raw.head.includes("permessage-deflate");
  raw.packet = (text) =>
    raw.write(
      isOn ? compressed(TEXT, text) : encodeFrame({ opcode: TEXT, payload: Buffer.from(text) }),
    );
  if (options.version !== 3) raw.packet("40");
  await raw.nextText((it) => it.startsWith("40"));
  raw.packet(`420["new user","${unique("ann")}"]`);
  await raw.nextText((it) => it.startsWith("430["));
  raw.packet(`421["join","${room}"]`);
  await raw.nextText((it) => it.startsWith('431[{"ok":true'));
  return raw;
}

/** The next text, inflated if it is compressed, for which `where` holds; with its frame. */
async function nextText(raw, where) {
  for (;;) {
    const frame = await raw.next(TEXT);
    const { payload, rsv } = frame;
    const text = (rsv === COMPRESSED ? inflate(payload) : payload).toString();
    if (where(text)) return { text, frame };
  }
}

const isMessage = (text) => /^4(2|5\d-)\["new message"/.test(text);

describe("negotiation", () => {
  for (const [offer, answer] of NEGOTIATIONS) {
    const headers = offer && { "sec-websocket-extensions": offer };
    test(`a new session: ${offer}`, async () => {
      const answered = await upgradeRequest(server, "EIO=4&transport=websocket", headers);
      assert.deepEqual(
        [answered.status, answered.headers["sec-websocket-extensions"]],
        [101, answer],
      );
    });
    test(`an upgrade: ${offer}`, async () => {
      const { handshake } = await EngineIoPolling.connect(server);
      const query = `EIO=4&transport=websocket&sid=${handshake.sid}`;
      const answered = await upgradeRequest(server, query, headers);
      assert.deepEqual(
        [answered.status, answered.headers["sec-websocket-extensions"]],
        [101, answer],
      );
    });
  }

  test("it is off by default", async (t) => {
    const other = new Server();
    await other.start();
    t.after(() => other.stop());
    const raw = await open(t, { on: other });
    assert.doesNotMatch(raw.head, /extensions/i);
    raw.write(compressed(TEXT, "40"));
    assert.equal(await raw.closeCode(), 1002);
  });

  test("a client that does not offer it may not use it", async (t) => {
    const raw = await open(t, { headers: {} });
    raw.write(compressed(TEXT, "40"));
    assert.equal(await raw.closeCode(), 1002);
  });
});

describe("messages", () => {
  for (const version of [4, 3]) {
    test(`texts and bytes in parts of every size, Engine.IO ${version}`, async (t) => {
      const room = unique("room");
      const raw = await join(t, room, { version });
      const prefix = version === 3 ? [4] : [];
      for (const size of [1, 7, 1 << 20]) {
        const text = words(size === 1 ? 300 : 50_000);
        const bytes = Buffer.from(words(size === 1 ? 200 : 5000));
        const packet = `451-["send message",{"room":"${room}","msg":[${JSON.stringify(text)},{"_placeholder":true,"num":0}]}]`;
        const parts = [
          compressed(TEXT, packet, { level: 9 }),
          compressed(BINARY, Buffer.concat([Buffer.from(prefix), bytes])),
        ];
        await raw.writeInParts(Buffer.concat(parts), size);
        const received = await nextText(raw, isMessage);
        assert.ok(received.text.includes(text));
        assert.equal(received.frame.rsv, size === 1 ? 0 : COMPRESSED);
        const attachment = await raw.nextFrame();
        const expected = Buffer.concat([Buffer.from(prefix), bytes]);
        if (size === 1) assert.deepEqual(attachment.payload, expected);
        else assertCompressed(attachment, BINARY, expected);
      }
    });
  }

  test("fragments, of which the first has the bit, with control frames between", async (t) => {
    const raw = await join(t, unique("room"));
    const content = `427["GroupList",{"x":"${words(3000)}"}]`;
    const payload = deflate(content);
    for (const cut of [0, 1, 10, payload.length - 1, payload.length]) {
      const first = rawCompressed(payload.subarray(0, cut), { fin: false });
      const last = encodeFrame({ opcode: 0, payload: payload.subarray(cut) });
      raw.write(Buffer.concat([first, encodeFrame({ opcode: PING }), last]));
      assert.equal((await raw.nextFrame()).opcode, PONG);
      assert.match(await raw.nextText(), /^437\[/);
    }
  });

  test("many messages at once, more than is read ahead", async (t) => {
    const raw = await join(t, unique("room"));
    const long = "x".repeat(60_000);
    const many = Array.from({ length: 100 }, (_, at) =>
      compressed(TEXT, `42${at}["GroupList",{"x":"${long}"}]`),
    );
    const ignored = Buffer.concat(Array.from(many, () => compressed(TEXT, `6${long}`)));
    raw.write(Buffer.concat([ignored, ...many]));
    for (let at = 0; at < many.length; at += 1) {
      const answer = await raw.nextText((it) => it.startsWith("43"));
      assert.ok(answer.startsWith(`43${at}[`), `${answer.slice(0, 10)} is not the answer to ${at}`);
    }
  });

  test("an acknowledgement is compressed if it is large", async (t) => {
    const room = unique("room");
    const raw = await join(t, room);
    raw.packet(`427["send message",${JSON.stringify({ room, msg: words(5000) })}]`);
    assert.equal((await nextText(raw, (it) => it.startsWith("437["))).frame.rsv, 0);
    raw.packet(`428["history",{"room":"${room}"}]`);
    const { frame, text } = await nextText(raw, (it) => it.startsWith("438["));
    assert.ok(text.includes(words(5000)));
    assert.equal(frame.rsv, COMPRESSED);
  });

  test("connections with and without it share an event", async (t) => {
    const room = unique("room");
    const small = { "sec-websocket-extensions": "permessage-deflate; server_max_window_bits=12" };
    const connections = [];
    for (const [headers, version, isCompressed] of [
      [OFFER, 4, true],
      [{}, 4, false],
      [small, 4, false],
      [OFFER, 3, true],
      [{}, 3, false],
    ]) {
      connections.push({ raw: await join(t, room, { headers, version }), isCompressed });
    }
    for (const { raw: sender } of connections) {
      const body = words(5000);
      sender.packet(`42["send message",${JSON.stringify({ room, msg: body })}]`);
      const texts = new Set();
      for (const { raw, isCompressed } of connections) {
        const { text, frame } = await nextText(raw, isMessage);
        assert.equal(frame.rsv, isCompressed ? COMPRESSED : 0);
        assert.ok(text.includes(body));
        texts.add(text);
      }
      assert.equal(texts.size, 1);
    }
  });
});

describe("the upgrade", () => {
  test("a probe is compressed, and what follows it at once is read", async (t) => {
    for (const size of [1, 1 << 20]) {
      const polling = await EngineIoPolling.connect(server);
      const raw = await open(t, { query: `&sid=${polling.handshake.sid}` });
      await raw.writeInParts(compressed(TEXT, "2probe"), size);
      assert.equal(await raw.nextText(), "3probe");
      const polled = await polling.poll();
      assert.deepEqual(polled.packets, ["6"]);
      const rest = ["5", '427["GroupList",{}]', '428["GroupList",{}]'];
      await raw.writeInParts(Buffer.concat(rest.map((it) => compressed(TEXT, it))), size);
      for (const id of [7, 8]) assert.ok((await raw.nextText()).startsWith(`43${id}[`));
      raw.write(rawCompressed([7, 0]));
      assert.equal(await raw.closeCode(), 1007);
    }
  });

  for (const [what, frame] of [
    ["that cannot be inflated", rawCompressed([7, 0])],
    ["that is a bomb", compressed(BINARY, Buffer.alloc(2 * FRAME_BYTES_MAX))],
    ["that is another text", compressed(TEXT, words(1000))],
  ]) {
    test(`a probe ${what} leaves the session on polling`, async (t) => {
      const polling = await EngineIoPolling.connect(server);
      const raw = await open(t, { query: `&sid=${polling.handshake.sid}` });
      raw.write(frame);
      await raw.ended();
      await polling.ask();
    });
  }
});

describe("what is refused", () => {
  const begun = rawCompressed(deflate("42[1]"), { fin: false });
  for (const [what, frame, code] of [
    ["RSV1 on a ping", rawCompressed("", { opcode: PING }), 1002],
    ["RSV1 on a continuation", [begun, rawCompressed("", { opcode: 0 })], 1002],
    ["RSV2", rawCompressed(deflate("40"), { rsv: 6 }), 1002],
    ["RSV3", rawCompressed(deflate("40"), { rsv: 5 }), 1002],
    ["a message within a compressed one", [begun, compressed(TEXT, "40")], 1002],
    ["a type of block that does not exist", rawCompressed([7, 0]), 1007],
    ["a window that does not exist", rawCompressed([0xf2, 0, 0x11, 0, 0]), 1007],
    ["a message that is cut", rawCompressed(deflate(words(2000)).subarray(0, -10)), 1007],
    ["text that is not UTF-8", rawCompressed(deflate(Buffer.from([0x61, 0xff]))), 1007],
    ["a thousand last blocks", rawCompressed(Buffer.from("0300".repeat(1000), "hex")), 1007],
    ["one byte above the limit", compressed(BINARY, words(FRAME_BYTES_MAX + 1)), 1009],
    ["a bomb", compressed(BINARY, Buffer.alloc(20 * FRAME_BYTES_MAX)), 1009],
    ["a ratio above 200", compressed(TEXT, Buffer.alloc(FRAME_BYTES_MAX, "x")), 1009],
    ["a claim above the limit", rawCompressed(Buffer.alloc(FRAME_BYTES_MAX + 1)), 1009],
  ]) {
    test(what, async (t) => {
      for (const size of [1 << 20, 1000]) {
        const raw = await open(t);
        await raw.writeInParts(Buffer.concat([frame].flat()), size);
        assert.equal(await raw.closeCode(), code);
      }
    });
  }

  test("a bomb in fragments ends before its last one", async (t) => {
    const raw = await open(t);
    const bomb = deflate(Buffer.alloc(10 * FRAME_BYTES_MAX));
    raw.write(rawCompressed(bomb.subarray(0, 1000), { fin: false }));
    assert.equal(await raw.closeCode(), 1009);
  });
});
