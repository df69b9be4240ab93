// RFC 7692: `permessage-deflate` on `/ws`. docs/protocol.md "Compression".

import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { constants } from "node:zlib";

import WebSocket from "ws";

import {
  assertCompressed,
  compressed,
  deflate,
  NEGOTIATIONS,
  OFFER,
  rawCompressed as raw,
  words,
} from "../support/deflate.mjs";
import {
  assertCloses,
  assertEcho,
  assertFails,
  ECHO_SETTINGS,
  openEcho,
} from "../support/echo-client.mjs";
import { httpRequest, upgradeHeaders } from "../support/http.mjs";
import { BINARY, encodeFrame, PING, TEXT } from "../support/raw-clients.mjs";
import { Server, serverForThisFile } from "../support/server.mjs";
import { withTimeout } from "../support/timeouts.mjs";
import { unique } from "../support/unique.mjs";

const FRAME_BYTES_MAX = ECHO_SETTINGS["limits.frame_bytes_max"];

const server = serverForThisFile({
  settings: { ...ECHO_SETTINGS, websocket_compression: "on" },
});

const open = (t, offer = OFFER) => openEcho(t, server, offer);

/** Asserts that the next frame is compressed, and that it is `content`. */
async function assertCompressedEcho(echo, opcode, content, windowBits) {
  assertCompressed(await echo.nextFrame(), opcode, content, windowBits);
}

describe("7.1 negotiation", () => {
  for (const [offer, answer] of NEGOTIATIONS) {
    test(`${offer}`, async () => {
      const headers = { ...upgradeHeaders(), ...(offer && { "sec-websocket-extensions": offer }) };
      const { status, headers: answered } = await httpRequest(server, "/ws", { headers });
      assert.deepEqual([status, answered["sec-websocket-extensions"]], [101, answer]);
    });
  }

  test("it is off by default", async (t) => {
    const other = new Server();
    await other.start();
    t.after(() => other.stop());
    const echo = await openEcho(t, other, OFFER);
    assert.doesNotMatch(echo.head, /permessage-deflate/);
    echo.write(compressed(TEXT, "x"));
    await assertFails(echo, 1002);
  });

  test("a client that does not offer it may not use it", async (t) => {
    const echo = await open(t, {});
    echo.write(compressed(TEXT, "x"));
    await assertFails(echo, 1002);
  });
});

describe("7.2 messages", () => {
  for (const [name, opcode] of Object.entries({ text: TEXT, binary: BINARY })) {
    for (const length of [0, 16, 64, 256, 1024, 4096, 8192, 16_384, 32_768, 65_536, 131_072]) {
      test(`${name} of ${length} bytes`, async (t) => {
        const echo = await open(t);
        const content = words(length);
        const isLong = 1024 <= length;
        for (const frame of [
          compressed(opcode, content),
          compressed(opcode, content, { level: 0 }),
          compressed(opcode, content, { level: 9, windowBits: 9 }),
          compressed(opcode, content, { strategy: constants.Z_FIXED }),
          encodeFrame({ opcode, payload: Buffer.from(content) }),
        ]) {
          await echo.writeInParts(frame, length < 1000 ? 1 : 997);
          if (isLong) await assertCompressedEcho(echo, opcode, content);
          else await assertEcho(echo, opcode, content);
        }
        await assertCloses(echo);
      });
    }
  }

  test("the examples of section 7.2.3", async (t) => {
    const echo = await open(t);
    for (const hex of [
      "f248cdc9c90700", // one block
      "000500faff48656c6c6f00", // not compressed
      "f348cdc9c9070000", // marked as the last block
      "f248050000 00ffffcac9c90700", // two blocks
    ]) {
      echo.write(raw(Buffer.from(hex.replaceAll(" ", ""), "hex")));
      await assertEcho(echo, TEXT, "Hello", hex);
    }
    echo.write(raw(Buffer.from("f200110000", "hex"))); // needs the window of the message before
    await assertFails(echo, 1007);
  });

  test("fragments, of which the first has the bit, with control frames between", async (t) => {
    const echo = await open(t);
    const content = words(5000);
    const payload = deflate(content);
    for (const cut of [0, 1, 10, payload.length - 1, payload.length]) {
      const first = raw(payload.subarray(0, cut), { fin: false });
      const last = encodeFrame({ opcode: 0, payload: payload.subarray(cut) });
      echo.write(Buffer.concat([first, encodeFrame({ opcode: PING }), last]));
      assert.equal((await echo.nextFrame()).opcode, 10);
      await assertCompressedEcho(echo, TEXT, content);
    }
  });

  test("a message up to the limit of frames", async (t) => {
    const echo = await open(t);
    echo.write(compressed(BINARY, words(FRAME_BYTES_MAX)));
    await assertCompressedEcho(echo, BINARY, words(FRAME_BYTES_MAX));
  });

  test("many messages", async (t) => {
    const echo = await open(t);
    const contents = Array.from({ length: 300 }, (_, at) => words(at * 10));
    echo.write(Buffer.concat(contents.map((it) => compressed(BINARY, it))));
    for (const content of contents) {
      if (content.length < 1100) await echo.nextFrame();
      else await assertCompressedEcho(echo, BINARY, content);
    }
    await assertCloses(echo);
  });

  test("a window of the client limits what is compressed for it", async (t) => {
    const limited = "permessage-deflate; server_max_window_bits=12";
    const echo = await open(t, { "sec-websocket-extensions": limited });
    for (const length of [2000, 4000]) {
      echo.write(encodeFrame({ opcode: BINARY, payload: Buffer.from(words(length)) }));
      await assertCompressedEcho(echo, BINARY, words(length), 12);
    }
    echo.write(encodeFrame({ opcode: BINARY, payload: Buffer.from(words(5000)) }));
    await assertEcho(echo, BINARY, words(5000));
  });
});

describe("what is refused", () => {
  for (const [what, frame, code] of [
    ["RSV1 on a ping", raw("", { opcode: PING }), 1002],
    ["RSV1 on a continuation", [raw(deflate("x"), { fin: false }), raw("", { opcode: 0 })], 1002],
    ["RSV2", raw(deflate("x"), { rsv: 6 }), 1002],
    ["RSV3", raw(deflate("x"), { rsv: 5 }), 1002],
    ["a type of block that does not exist", raw([0x07, 0x00]), 1007],
    ["a window that does not exist", raw([0x4b, 0x04, 0x61, 0x00]), 1007],
    ["a message that is cut", raw(deflate(words(2000)).subarray(0, -10)), 1007],
    ["a block that is cut", raw([0x00, 0xff, 0x00, 0x00, 0xff, 0x61]), 1007],
    ["text that is not UTF-8", raw(deflate(Buffer.from([0x61, 0xff]))), 1007],
    ["text that ends within a character", raw(deflate(Buffer.from([0x61, 0xc3]))), 1007],
    ["a thousand last blocks", raw(Buffer.from("0300".repeat(1000), "hex")), 1007],
    ["one byte above the limit", compressed(BINARY, words(FRAME_BYTES_MAX + 1)), 1009],
    ["a bomb", compressed(BINARY, Buffer.alloc(20 * FRAME_BYTES_MAX)), 1009],
    ["a bomb of text", compressed(TEXT, Buffer.alloc(FRAME_BYTES_MAX, "x")), 1009],
  ]) {
    test(what, async (t) => {
      for (const size of [1 << 20, 1000]) {
        const echo = await open(t);
        await echo.writeInParts(Buffer.concat([frame].flat()), size);
        await assertFails(echo, code);
      }
    });
  }

  test("a bomb in fragments ends before its last one", async (t) => {
    const echo = await open(t);
    const bomb = deflate(Buffer.alloc(10 * FRAME_BYTES_MAX));
    echo.write(raw(bomb.subarray(0, 5000), { fin: false }));
    await assertFails(echo, 1009);
  });
});

describe("the usual library", () => {
  /**
   * A connection of `ws` that is in its room: the first message, which comes back to its sender alone,
   * shows that.
   */
  async function connect(t, room, perMessageDeflate) {
    const url = `${server.url.replace("http", "ws")}/ws/${room}`;
    const socket = new WebSocket(url, "echo-protocol", { perMessageDeflate });
    t.after(() => socket.terminate());
    await withTimeout("a connection", once(socket, "open"));
    const [echo] = [once(socket, "message"), socket.send(Buffer.of(1))];
    await withTimeout("the first message", echo);
    return socket;
  }

  for (const [what, options] of Object.entries({
    "as it is": true,
    "for every message": { threshold: 0 },
    "with a small window": { threshold: 0, serverMaxWindowBits: 10, clientMaxWindowBits: 9 },
    "without a window between messages": {
      threshold: 0,
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
    },
  })) {
    test(`perMessageDeflate ${what}, beside a client without it`, async (t) => {
      const room = unique("room");
      const [ann, bob] = [await connect(t, room, options), await connect(t, room, false)];
      assert.match(ann.extensions, /^permessage-deflate/);
      assert.equal(bob.extensions, "");
      for (const length of [1, 1000, 2000, 100_000]) {
        for (const sender of [ann, bob]) {
          const received = [ann, bob].map((it) => once(it, "message"));
          sender.send(words(length));
          for (const [message] of await withTimeout("messages", Promise.all(received))) {
            assert.equal(message.toString(), words(length));
          }
        }
      }
      ann.close(1000);
      assert.equal((await withTimeout("the close", once(ann, "close")))[0], 1000);
    });
  }
});
