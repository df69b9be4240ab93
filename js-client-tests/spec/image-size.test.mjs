// public/image-size.js: the size of an image from its header.

import assert from "node:assert/strict";
import { test } from "node:test";

import { imageSize } from "../../public/image-size.js";
import { exifSegment, png } from "../support/images.mjs";

const bytes = (...parts) => Uint8Array.from(parts.flatMap((it) => [...Buffer.from(it)])).buffer;
const size = { width: 640, height: 480 };

/** A JPEG up to its frame header, with the orientation of a camera. */
const jpeg = (orientation) =>
  bytes(
    [0xff, 0xd8],
    exifSegment(orientation),
    [0xff, 0xc4, 0, 4, 9, 9],
    [0xff, 0xc2, 0, 8, 8, 1, 0xe0, 2, 0x80, 3],
  );

const riff = (kind, ...rest) => bytes("RIFF", [0, 0, 0, 0], `WEBP${kind}`, [0, 0, 0, 0], ...rest);

test("each format has its size in its header", () => {
  const vp8l = (size.width - 1) | ((size.height - 1) << 14);
  const cases = {
    png: new Uint8Array(png(640, 480)).buffer,
    gif: bytes("GIF89a", [0x80, 2, 0xe0, 1, 0, 0, 0]),
    jpeg: jpeg(1),
    "lossy webp": riff("VP8 ", [0, 0, 0, 0x9d, 1, 0x2a, 0x80, 2, 0xe0, 1]),
    "lossless webp": riff("VP8L", [0x2f, ...[0, 8, 16, 24].map((shift) => (vp8l >> shift) & 0xff)]),
    "extended webp": riff("VP8X", [0, 0, 0, 0, 0x7f, 2, 0, 0xdf, 1, 0]),
  };
  for (const [name, image] of Object.entries(cases)) assert.deepEqual(imageSize(image), size, name);
});

test("a turned photo has its width and height as it is shown", () => {
  for (const orientation of [2, 3, 4]) assert.deepEqual(imageSize(jpeg(orientation)), size);
  for (const orientation of [5, 6, 7, 8]) {
    assert.deepEqual(imageSize(jpeg(orientation)), { width: 480, height: 640 });
  }
});

test("what is cut off, empty or no image has no size", () => {
  const whole = jpeg(6);
  for (let length = 0; length < whole.byteLength - 1; length += 1) {
    assert.equal(imageSize(whole.slice(0, length)), null, `${length} bytes`);
  }
  for (const no of [bytes("text, and no image"), bytes("GIF89a", [0, 0, 0, 0]), riff("XXXX")]) {
    assert.equal(imageSize(no), null);
  }
});
