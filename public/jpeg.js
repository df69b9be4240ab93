// Takes out of a JPEG what its pixels do not need: place, time and camera (Exif, XMP, IPTC), comments,
// small copies of the image, and what follows its end. How the camera was held stays, because it says
// how the pixels are shown.

import { orientationOf } from "./image-size.js";

const START = 0xd8;
const END = 0xd9;
const SCAN = 0xda;
const APP0 = 0xe0; // JFIF
const APP1 = 0xe1; // Exif or XMP
const APP2 = 0xe2; // the colour profile, or an index of further images
const APP14 = 0xee; // Adobe: how the colours are coded
const APP15 = 0xef;
const COMMENT = 0xfe;
const ICC = 0x4943435f; // "ICC_"

/** The image without metadata, or null for bytes that cannot be read so, such as padded ones. */
export function withoutMetadata(bytes) {
  const view = new DataView(bytes);
  try {
    if (view.getUint16(0) !== 0xff00 + START) return null;
    return join(bytes, segmentsOf(view));
  } catch {
    return null; // it is cut off
  }
}

/** The segments that stay, as `[from, to]`, and the orientation. */
function segmentsOf(view) {
  const kept = [];
  let orientation = 1;
  let at = 2;
  while (view.getUint16(at) !== 0xff00 + END) {
    const marker = view.getUint8(at + 1);
    if (view.getUint8(at) !== 0xff || !hasLength(marker)) throw new Error("no segment");
    let end = at + 2 + view.getUint16(at + 2);
    if (marker === APP1 && orientation === 1) orientation = orientationOf(view, at + 4);
    if (marker === SCAN) end = endOfScan(view, end);
    if (isNeeded(view, at, marker)) kept.push([at, end]);
    at = end;
  }
  return { kept, orientation };
}

const hasLength = (marker) =>
  (0xc0 <= marker && marker < 0xd0) || (SCAN <= marker && marker < 0xff);

/** Coded pixels end at the next marker: a 0 after 0xff is one of them, and so are restarts. */
function endOfScan(view, from) {
  let at = from;
  for (;;) {
    const after = view.getUint8(at) === 0xff ? view.getUint8(at + 1) : 0;
    if (after > 0 && after < 0xff && (after < 0xd0 || after > 0xd7)) return at;
    at += 1;
  }
}

function isNeeded(view, at, marker) {
  if (marker === APP2) return view.getUint32(at + 4) === ICC;
  if (marker === APP0 || marker === APP14) return true;
  return marker !== COMMENT && (marker < APP0 || marker > APP15);
}

function join(bytes, { kept, orientation }) {
  const isTurned = 2 <= orientation && orientation <= 8;
  const parts = [[0xff, START], ...(isTurned ? [exifOf(orientation)] : [])];
  for (const [from, to] of kept) parts.push(new Uint8Array(bytes, from, to - from));
  parts.push([0xff, END]);
  const image = new Uint8Array(parts.reduce((sum, it) => sum + it.length, 0));
  let at = 0;
  for (const part of parts) {
    image.set(part, at);
    at += part.length;
  }
  return image.buffer;
}

/** Exif data with one entry. */
function exifOf(orientation) {
  const head = [0x45, 0x78, 0x69, 0x66, 0, 0, 0x4d, 0x4d, 0, 42, 0, 0, 0, 8]; // "Exif", "MM"
  const entry = [0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0];
  return [0xff, APP1, 0, head.length + entry.length + 2, ...head, ...entry];
}
