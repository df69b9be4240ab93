// Images for tests, of any size.

import { crc32, deflateSync } from "node:zlib";

/** A PNG of one colour; with `noise`, one that does not compress. */
export function png(width, height, { noise } = {}) {
  const row = 1 + 3 * width;
  const pixels = Buffer.alloc(row * height, 0x60);
  for (let at = 0, state = 1; noise && at < pixels.length; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    pixels[at] = state >>> 24;
  }
  for (let at = 0; at < pixels.length; at += row) pixels[at] = 0; // no filter
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2], 8); // 8 bits, red, green and blue
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(pixels)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

/** The body of a message with an image, as `/ws` sends it. */
export const imageBody = (bytes, fields = {}) => ({
  image: { base64: bytes.toString("base64") },
  type: "image/png",
  ...fields,
});

/** A JPEG segment of a program, such as XMP or IPTC. */
export const segment = (marker, text) =>
  Buffer.concat([Buffer.from([0xff, marker, 0, text.length + 2]), Buffer.from(text, "latin1")]);

/** What a camera adds to a JPEG: how it was held, from 1 to 8. 6 is turned by 90°. */
export function exifSegment(orientation) {
  const exif = [
    ...Buffer.from("Exif\0\0MM"),
    ...[0, 42, 0, 0, 0, 8], // the directory follows
    ...[0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0],
  ];
  return Buffer.from([0xff, 0xe1, 0, exif.length + 2, ...exif]);
}

function chunk(name, content) {
  const named = Buffer.concat([Buffer.from(name), content]);
  const made = Buffer.alloc(named.length + 8);
  made.writeUInt32BE(content.length, 0);
  named.copy(made, 4);
  made.writeUInt32BE(crc32(named), named.length + 4);
  return made;
}
