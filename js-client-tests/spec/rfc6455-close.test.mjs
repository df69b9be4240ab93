// RFC 6455, section 7: the close handshake.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  assertCloses,
  assertEcho,
  assertFails,
  closeFrame,
  ECHO_SETTINGS,
  openEcho,
} from "../support/echo-client.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { BINARY, CLOSE, encodeFrame, PING, RawWebSocket, TEXT } from "../support/raw-clients.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({
  settings: { ...ECHO_SETTINGS, "limits.presence_grace_ms": 100 },
});

const text = (payload) => encodeFrame({ opcode: TEXT, payload: Buffer.from(payload) });
const close = (payload) => encodeFrame({ opcode: CLOSE, payload: Buffer.from(payload) });

/** Codes that an endpoint may send. */
const VALID = [
  1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
];

/** Codes that it may not. */
const INVALID = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535];

describe("7.1.5, 7.4 codes", () => {
  for (const code of VALID) {
    test(`${code} is answered with itself`, async (t) => {
      const echo = await openEcho(t, server);
      echo.write(closeFrame(code, "reason"));
      const frames = await echo.rest();
      assert.deepEqual(
        frames.map(({ opcode }) => opcode),
        [CLOSE],
      );
      assert.equal(frames[0].payload.readUInt16BE(0), code);
    });
  }

  for (const code of INVALID) {
    test(`${code} breaks the protocol`, async (t) => {
      const echo = await openEcho(t, server);
      echo.write(closeFrame(code));
      await assertFails(echo, 1002);
      const reasoned = await openEcho(t, server);
      reasoned.write(closeFrame(code, "reason"));
      await assertFails(reasoned, 1002, "with a reason");
    });
  }
});

describe("5.5.1 payloads", () => {
  test("without a payload the answer has none", async (t) => {
    const echo = await openEcho(t, server);
    echo.write(close(""));
    const frames = await echo.rest();
    assert.deepEqual(
      frames.map(({ opcode, payload }) => [opcode, payload.length]),
      [[CLOSE, 0]],
    );
  });

  test("one byte breaks the protocol", async (t) => {
    const echo = await openEcho(t, server);
    echo.write(close([3]));
    await assertFails(echo, 1002);
  });

  for (const reason of ["", "bye", "x".repeat(123), "κόσμε 😀"]) {
    test(`a reason of ${Buffer.byteLength(reason)} bytes, in parts`, async (t) => {
      const echo = await openEcho(t, server);
      await echo.writeInParts(closeFrame(1000, reason), 1);
      await assertFails(echo, 1000);
    });
  }

  test("a reason of 124 bytes breaks the protocol", async (t) => {
    const echo = await openEcho(t, server);
    echo.write(closeFrame(1000, "x".repeat(124)));
    await assertFails(echo, 1002);
  });

  test("a reason that is not UTF-8", async (t) => {
    for (const reason of ["ce ba e1 bd b9 cf 83 ed a0 80", "f4 90 80 80", "c3", "ff"]) {
      const echo = await openEcho(t, server);
      echo.write(close(Buffer.from(`03e8${reason.replaceAll(" ", "")}`, "hex")));
      await assertFails(echo, 1007, reason);
    }
  });
});

describe("7.1 order", () => {
  test("what was sent before the close is echoed before its answer", async (t) => {
    for (const size of [1 << 20, 1]) {
      const echo = await openEcho(t, server);
      const bytes = Buffer.concat([text("last words"), closeFrame(1000)]);
      await echo.writeInParts(bytes, size);
      await assertEcho(echo, TEXT, "last words", `parts of ${size}`);
      await assertFails(echo, 1000, `parts of ${size}`);
    }
  });

  test("the same for many messages, and for a large one", async (t) => {
    const words = Array.from({ length: 100 }, (_, at) => `${at}`);
    for (const payloads of [words, ["x".repeat(140_000)]]) {
      const echo = await openEcho(t, server);
      echo.write(Buffer.concat([...payloads.map(text), closeFrame(1000)]));
      for (const payload of payloads) await assertEcho(echo, TEXT, payload);
      await assertFails(echo, 1000);
    }
  });

  test("requests of the protocol of /ws are answered before it, too", async (t) => {
    const room = unique("room");
    const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
    const raw = await RawWebSocket.open(t, server, `/ws/${room}`);
    const requests = [
      { event: "new user", data: unique("ann") },
      { event: "send message", data: "last words", ack: 7 },
    ];
    const frames = requests.map((it) => text(JSON.stringify(it)));
    raw.write(Buffer.concat([...frames, closeFrame(1000)]));
    const received = await raw.rest();
    assert.equal(received.pop().opcode, CLOSE);
    const answer = received.map(({ payload }) => JSON.parse(payload)).find(({ ack }) => ack === 7);
    assert.equal(answer.ok, true);
    assert.equal((await bob.next("new message")).msg, "last words");
  });

  test("nothing that follows a close is handled", async (t) => {
    for (const [what, frame] of Object.entries({
      text: text("late"),
      binary: encodeFrame({ opcode: BINARY, payload: Buffer.from("late") }),
      "a ping": encodeFrame({ opcode: PING }),
      "another close": closeFrame(1001),
      "an invalid frame": encodeFrame({ opcode: 3 }),
    })) {
      const echo = await openEcho(t, server);
      echo.write(Buffer.concat([closeFrame(1000), frame]));
      await assertFails(echo, 1000, what);
    }
  });

  test("a close within a fragmented message drops the message", async (t) => {
    const echo = await openEcho(t, server);
    const begun = encodeFrame({ opcode: TEXT, payload: Buffer.from("begun"), fin: false });
    echo.write(Buffer.concat([begun, closeFrame(1000)]));
    await assertFails(echo, 1000);
  });

  test("the server ends the connection first", async (t) => {
    const echo = await openEcho(t, server);
    await assertCloses(echo);
  });

  test("a client that ends the connection without a close frame is gone", async (t) => {
    const room = unique("room");
    const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
    const raw = await RawWebSocket.open(t, server, `/ws/${room}`);
    const name = unique("ann");
    raw.text(JSON.stringify({ event: "new user", data: name }));
    await bob.next("user joined");
    raw.end();
    await raw.ended();
    assert.deepEqual(await bob.next("user left"), { room, user: name });
  });
});
