// RFC 6455, section 8.1: text is UTF-8, and the connection fails at the first byte that is not.

import { describe, test } from "node:test";

import {
  assertCloses,
  assertEcho,
  assertFails,
  ECHO_SETTINGS,
  fragments,
  openEcho,
} from "../support/echo-client.mjs";
import { encodeFrame, PING, PONG, TEXT } from "../support/raw-clients.mjs";
import { serverForThisFile } from "../support/server.mjs";

const server = serverForThisFile({ settings: ECHO_SETTINGS });

const bytes = (hex) => Buffer.from(hex.replaceAll(" ", ""), "hex");
const text = (payload) => encodeFrame({ opcode: TEXT, payload });

/** Texts at the bounds of each length of a code point, and noncharacters, which are valid. */
const VALID = {
  "Greek words": Buffer.from("κόσμε κόσμε"),
  "the first of one byte": bytes("78 00 78"),
  "the last of one byte": bytes("7f"),
  "the first of two bytes": bytes("c2 80"),
  "the last of two bytes": bytes("df bf"),
  "the first of three bytes": bytes("e0 a0 80"),
  "the last before surrogates": bytes("ed 9f bf"),
  "the first after surrogates": bytes("ee 80 80"),
  "the replacement character": bytes("ef bf bd"),
  "the last of three bytes, a noncharacter": bytes("ef bf bf"),
  "the first of four bytes": bytes("f0 90 80 80"),
  "a noncharacter of four bytes": bytes("f0 9f bf be"),
  "the last code point": bytes("f4 8f bf bf"),
  "a family of emoji": Buffer.from("👩‍👩‍👧‍👦 ok"),
};

/** Bytes up to the first one that no UTF-8 has there. */
const IMPOSSIBLE = {
  "a continuation alone": "80",
  "the last continuation alone": "bf",
  "continuations after a character": "ce ba 80",
  "a start byte twice": "c3 c3",
  "a letter within a character of two bytes": "c3 28",
  "a letter within one of three bytes": "e2 28",
  "a letter as the third of three bytes": "e2 82 28",
  "a letter within one of four bytes": "f0 28",
  "a letter as the third of four bytes": "f0 9f 28",
  "a letter as the fourth of four bytes": "f0 9f 98 28",
  "an overlong slash of two bytes": "c0",
  "an overlong form of two bytes": "c1",
  "an overlong slash of three bytes": "e0 80",
  "the longest overlong form of three bytes": "e0 9f",
  "an overlong slash of four bytes": "f0 80",
  "the longest overlong form of four bytes": "f0 8f",
  "the first surrogate": "ed a0",
  "the last surrogate": "ed bf",
  "past the last code point": "f4 90",
  "a start byte beyond those of four bytes": "f5",
  "a start byte of five bytes": "f8",
  "a start byte of six bytes": "fc",
  fe: "fe",
  ff: "ff",
};

/** The beginnings of characters. */
const TRUNCATED = ["c3", "e2", "e2 82", "f0", "f0 9f", "f0 9f 98", "ed 9f", "f4 8f bf"];

describe("valid text", () => {
  for (const [what, payload] of Object.entries(VALID)) {
    test(`${what}, in fragments and parts of every size`, async (t) => {
      const echo = await openEcho(t, server);
      echo.write(text(payload));
      await assertEcho(echo, TEXT, payload, "one frame");
      await echo.writeInParts(text(payload), 1);
      await assertEcho(echo, TEXT, payload, "byte by byte");
      for (let size = 1; size < payload.length; size += 1) {
        const parts = [];
        for (let at = 0; at < payload.length; at += size)
          parts.push(payload.subarray(at, at + size));
        const frames = Buffer.concat(fragments(TEXT, parts));
        echo.write(frames);
        await assertEcho(echo, TEXT, payload, `fragments of ${size}`);
        await echo.writeInParts(frames, 1);
        await assertEcho(echo, TEXT, payload, `fragments of ${size}, byte by byte`);
      }
      await assertCloses(echo);
    });
  }

  test("a control frame within a character", async (t) => {
    const echo = await openEcho(t, server);
    const [first, second] = fragments(TEXT, [bytes("f0 9f"), bytes("98 80")]);
    echo.write(Buffer.concat([first, encodeFrame({ opcode: PING }), second]));
    await assertEcho(echo, PONG, "");
    await assertEcho(echo, TEXT, "😀");
  });
});

describe("the first impossible byte ends the connection", () => {
  for (const [what, hex] of Object.entries(IMPOSSIBLE)) {
    const payload = Buffer.concat([Buffer.from("valid κ "), bytes(hex)]);

    test(`${what}, in a whole frame`, async (t) => {
      const echo = await openEcho(t, server);
      const bad = text(Buffer.concat([payload, Buffer.from(" and more")]));
      echo.write(Buffer.concat([text(Buffer.from("good")), bad]));
      await assertEcho(echo, TEXT, "good");
      await assertFails(echo, 1007);
    });

    test(`${what}, before the frame is whole`, async (t) => {
      const [frame] = fragments(TEXT, [Buffer.concat([payload, Buffer.alloc(200_000, "x")]), "y"]);
      const begun = frame.subarray(0, 14 + payload.length);
      const atOnce = await openEcho(t, server);
      atOnce.write(begun);
      await assertFails(atOnce, 1007, "at once");
      const byBytes = await openEcho(t, server);
      await byBytes.writeInParts(begun, 1);
      await assertFails(byBytes, 1007, "byte by byte");
    });

    test(`${what}, before the message is whole`, async (t) => {
      for (const cut of [1, payload.length - 1, payload.length]) {
        const parts = [payload.subarray(0, cut), payload.subarray(cut), "never sent"];
        const echo = await openEcho(t, server);
        echo.write(Buffer.concat(fragments(TEXT, parts).slice(0, 2)));
        await assertFails(echo, 1007, `cut after ${cut} bytes`);
      }
    });
  }
});

describe("a text that ends within a character", () => {
  for (const hex of TRUNCATED) {
    test(hex, async (t) => {
      const payload = Buffer.concat([Buffer.from("valid "), bytes(hex)]);
      const whole = await openEcho(t, server);
      whole.write(text(payload));
      await assertFails(whole, 1007, "a whole frame");
      const pieces = await openEcho(t, server);
      pieces.write(Buffer.concat(fragments(TEXT, ["valid ", bytes(hex), ""])));
      await assertFails(pieces, 1007, "fragments");
    });
  }
});
