// RFC 6455, section 5: frames, fragments and control frames.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  assertCloses,
  assertEcho,
  assertFails,
  assertOpen,
  ECHO_SETTINGS,
  fragments,
  openEcho,
} from "../support/echo-client.mjs";
import { BINARY, encodeFrame, PING, PONG, TEXT } from "../support/raw-clients.mjs";
import { serverForThisFile } from "../support/server.mjs";

const server = serverForThisFile({ settings: ECHO_SETTINGS });

const FRAME_BYTES_MAX = ECHO_SETTINGS["limits.frame_bytes_max"];
const KINDS = { text: TEXT, binary: BINARY };

const frame = (opcode, payload, more = {}) =>
  encodeFrame({ opcode, payload: Buffer.from(payload), ...more });
const text = (payload, more) => frame(TEXT, payload, more);

/** A payload of this length that is not the same everywhere. */
function payloadOf(kind, length) {
  return Buffer.from(
    Array.from({ length }, (_, at) => (kind === TEXT ? 97 + (at % 26) : at % 256)),
  );
}

/** Asserts that `payload` returns as text and as bytes: text waits until it is stored. */
async function assertEchoes(echo, payload) {
  const frames = [await echo.nextFrame(), await echo.nextFrame()];
  const found = frames.map((it) => [it.opcode, it.payload.toString()]).sort();
  assert.deepEqual(found, [
    [TEXT, payload],
    [BINARY, payload],
  ]);
}

/** The first bytes of a frame that claims this length in a form that is chosen here. */
const head = (first, ...rest) => Buffer.from([first, ...rest, 0, 0, 0, 0]);

describe("5.2 lengths", () => {
  for (const [name, kind] of Object.entries(KINDS)) {
    for (const length of [0, 1, 125, 126, 127, 128, 65_535, 65_536]) {
      test(`${name} of ${length} bytes`, async (t) => {
        const echo = await openEcho(t, server);
        const payload = payloadOf(kind, length);
        const bytes = frame(kind, payload);
        echo.write(bytes);
        await assertEcho(echo, kind, payload, "at once");
        await echo.writeInParts(bytes, length < 1000 ? 1 : 997);
        await assertEcho(echo, kind, payload, "in parts");
        await assertCloses(echo);
      });
    }
  }

  test("every size of a part", async (t) => {
    const echo = await openEcho(t, server);
    const payloads = [0, 1, 125, 126, 300].map((length) => payloadOf(BINARY, length));
    const bytes = Buffer.concat(payloads.map((it) => frame(BINARY, it)));
    for (const size of [1, 2, 3, 5, 7, 13, 64, 127, 128, 4095, 4096]) {
      await echo.writeInParts(bytes, size);
      for (const payload of payloads) await assertEcho(echo, BINARY, payload, `parts of ${size}`);
    }
  });

  test("binary up to the limit of frames, and not one byte more", async (t) => {
    for (const length of [FRAME_BYTES_MAX / 2, FRAME_BYTES_MAX - 1, FRAME_BYTES_MAX]) {
      const echo = await openEcho(t, server);
      echo.write(frame(BINARY, payloadOf(BINARY, length)));
      await assertEcho(echo, BINARY, payloadOf(BINARY, length), `${length} bytes`);
      await assertCloses(echo);
    }
    const echo = await openEcho(t, server);
    echo.write(head(0x82, 0xff, ...lengthOf(FRAME_BYTES_MAX + 1)));
    await assertFails(echo, 1009, "refused by its head");
  });

  test("fragments up to the limit together, and not one byte more", async (t) => {
    const half = payloadOf(BINARY, FRAME_BYTES_MAX / 2);
    const echo = await openEcho(t, server);
    echo.write(Buffer.concat(fragments(BINARY, [half, half])));
    await assertEcho(echo, BINARY, Buffer.concat([half, half]));
    const [first] = fragments(BINARY, [half, half]);
    echo.write(Buffer.concat([first, head(0x80, 0xff, ...lengthOf(half.length + 1))]));
    await assertFails(echo, 1009);
  });

  test("a length with its highest bit set", async (t) => {
    const echo = await openEcho(t, server);
    echo.write(head(0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1));
    await assertFails(echo, 1002);
  });

  test("a length that is not in its shortest form", async (t) => {
    for (const bytes of [
      head(0x82, 0xfe, 0, 125),
      head(0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff),
    ]) {
      const echo = await openEcho(t, server);
      echo.write(bytes);
      await assertFails(echo, 1002);
    }
  });

  test("many messages", async (t) => {
    const echo = await openEcho(t, server);
    const numbers = Array.from({ length: 1000 }, (_, at) => `${at}`);
    for (const kind of [BINARY, TEXT]) {
      echo.write(Buffer.concat(numbers.map((it) => frame(kind, it))));
      for (const number of numbers) await assertEcho(echo, kind, number);
    }
    await assertCloses(echo);
  });
});

describe("5.1 masking", () => {
  test("a frame without a mask fails at its head", async (t) => {
    for (const opcode of [TEXT, BINARY, PING]) {
      const echo = await openEcho(t, server);
      echo.write(frame(opcode, "not masked", { masked: false }).subarray(0, 2));
      await assertFails(echo, 1002);
    }
  });
});

describe("5.2 reserved bits and opcodes", () => {
  for (let rsv = 1; rsv < 8; rsv += 1) {
    test(`reserved bits ${rsv}`, async (t) => {
      for (const opcode of [TEXT, BINARY, PING]) {
        const echo = await openEcho(t, server);
        const good = [TEXT, BINARY].map((kind) => frame(kind, "good"));
        echo.write(Buffer.concat([...good, frame(opcode, "bad", { rsv })]));
        await assertEchoes(echo, "good");
        await assertFails(echo, 1002, `opcode ${opcode}`);
      }
    });
  }

  test("reserved bits in parts of one byte", async (t) => {
    const echo = await openEcho(t, server);
    await echo.writeInParts(text("x", { rsv: 4 }).subarray(0, 2), 1);
    await assertFails(echo, 1002);
  });

  for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
    test(`the reserved opcode ${opcode}, alone and within a message`, async (t) => {
      for (const payload of ["", "x"]) {
        const alone = await openEcho(t, server);
        alone.write(frame(opcode, payload));
        await assertFails(alone, 1002, "alone");
        const within = await openEcho(t, server);
        within.write(Buffer.concat([text("a", { fin: false }), frame(opcode, payload)]));
        await assertFails(within, 1002, "within a message");
      }
    });
  }
});

describe("5.4 fragmentation", () => {
  for (const [name, kind] of Object.entries(KINDS)) {
    test(`${name} in fragments, also empty ones, in parts of every kind`, async (t) => {
      const echo = await openEcho(t, server);
      for (const payloads of [
        ["one", "two"],
        ["", "two"],
        ["one", ""],
        ["one", "", "", "three"],
        ["", "", ""],
        [..."each letter"],
        ["x".repeat(200), "y".repeat(70_000)],
      ]) {
        const [whole, frames] = [payloads.join(""), fragments(kind, payloads)];
        echo.write(Buffer.concat(frames));
        await assertEcho(echo, kind, whole, "at once");
        for (const bytes of frames) await echo.writeInParts(bytes, bytes.length);
        await assertEcho(echo, kind, whole, "frame by frame");
        if (1000 < whole.length) continue;
        await echo.writeInParts(Buffer.concat(frames), 1);
        await assertEcho(echo, kind, whole, "byte by byte");
      }
      await assertCloses(echo);
    });
  }

  test("control frames between fragments are answered at once", async (t) => {
    const echo = await openEcho(t, server);
    const [first, second, third] = fragments(TEXT, ["a", "b", "c"]);
    for (const size of [1000, 1]) {
      await echo.writeInParts(first, size);
      await echo.writeInParts(frame(PING, "one"), size);
      await assertEcho(echo, PONG, "one");
      await echo.writeInParts(Buffer.concat([second, frame(PONG, "unasked")]), size);
      await echo.writeInParts(Buffer.concat([frame(PING, "two"), third]), size);
      await assertEcho(echo, PONG, "two");
      await assertEcho(echo, TEXT, "abc");
    }
  });

  test("a continuation of nothing", async (t) => {
    for (const fin of [true, false]) {
      const echo = await openEcho(t, server);
      echo.write(frame(0, "x", { fin }));
      await assertFails(echo, 1002, "first");
      const after = await openEcho(t, server);
      const message = Buffer.concat(fragments(BINARY, ["a", "b"]));
      after.write(Buffer.concat([message, frame(0, "x", { fin })]));
      await assertEcho(after, BINARY, "ab");
      await assertFails(after, 1002, "after a message");
    }
  });

  test("a new message within a message", async (t) => {
    for (const opcode of [TEXT, BINARY]) {
      for (const fin of [true, false]) {
        const echo = await openEcho(t, server);
        echo.write(Buffer.concat([text("a", { fin: false }), frame(opcode, "b", { fin })]));
        await assertFails(echo, 1002);
      }
    }
  });
});

describe("5.5 control frames", () => {
  for (const length of [0, 1, 124, 125]) {
    test(`a ping of ${length} bytes`, async (t) => {
      const echo = await openEcho(t, server);
      const payload = payloadOf(BINARY, length);
      echo.write(frame(PING, payload));
      await assertEcho(echo, PONG, payload);
      await echo.writeInParts(frame(PING, payload), 1);
      await assertEcho(echo, PONG, payload, "byte by byte");
      await assertCloses(echo);
    });
  }

  for (const length of [126, 65_535, 65_536]) {
    test(`a control frame of ${length} bytes fails at its head`, async (t) => {
      for (const opcode of [PING, PONG, 8]) {
        const echo = await openEcho(t, server);
        echo.write(frame(opcode, payloadOf(BINARY, length)).subarray(0, length === 126 ? 4 : 10));
        await assertFails(echo, 1002, `opcode ${opcode}`);
      }
    });
  }

  test("a control frame in fragments", async (t) => {
    for (const opcode of [PING, PONG, 8]) {
      const echo = await openEcho(t, server);
      echo.write(frame(opcode, "", { fin: false }));
      await assertFails(echo, 1002, `opcode ${opcode}`);
    }
  });

  test("pings are answered in their order", async (t) => {
    const echo = await openEcho(t, server);
    const pings = Array.from({ length: 10 }, (_, at) => `ping ${at}`);
    const bytes = Buffer.concat(pings.map((it) => frame(PING, it)));
    for (const size of [bytes.length, 1]) {
      await echo.writeInParts(bytes, size);
      for (const ping of pings) await assertEcho(echo, PONG, ping, `parts of ${size}`);
    }
  });

  test("pongs that nobody asked for are ignored", async (t) => {
    const echo = await openEcho(t, server);
    echo.write(Buffer.concat([frame(PONG, ""), frame(PONG, "unasked"), frame(PING, "asked")]));
    await assertEcho(echo, PONG, "asked");
    await assertOpen(echo);
    await assertCloses(echo);
  });

  test("a message and pings keep the order of the answers that are made at once", async (t) => {
    const echo = await openEcho(t, server);
    echo.write(Buffer.concat([frame(BINARY, "a"), frame(PING, "b"), frame(BINARY, "c")]));
    await assertEcho(echo, BINARY, "a");
    await assertEcho(echo, PONG, "b");
    await assertEcho(echo, BINARY, "c");
    assert.ok(echo.head.toLowerCase().includes("sec-websocket-protocol: echo-protocol"));
  });
});

/** A length of eight bytes. */
function lengthOf(number) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(number));
  return bytes;
}
