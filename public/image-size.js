// The size of an image as it is shown, from the header in its bytes: known before it is decoded.

/** `{width, height}` in pixels, or null if the header has none. */
export function imageSize(bytes) {
  const view = new DataView(bytes);
  try {
    const size = sizeOf(view);
    return size && size.width > 0 && size.height > 0 ? size : null;
  } catch {
    return null; // the header is cut off
  }
}

function sizeOf(view) {
  switch (view.getUint16(0)) {
    case 0x8950: // PNG
      return { width: view.getUint32(16), height: view.getUint32(20) };
    case 0x4749: // GIF
      return { width: view.getUint16(6, true), height: view.getUint16(8, true) };
    case 0x5249: // RIFF: WebP
      return webpSize(view);
    case 0xffd8:
      return jpegSize(view);
  }
  return null;
}

function webpSize(view) {
  const bits24 = (at) => view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
  switch (view.getUint32(12)) {
    case 0x56503820: // "VP8 ", lossy
      return {
        width: view.getUint16(26, true) & 0x3fff,
        height: view.getUint16(28, true) & 0x3fff,
      };
    case 0x5650384c: {
      // "VP8L", lossless: 14 bits each
      const bits = view.getUint32(21, true);
      return { width: (bits & 0x3fff) + 1, height: ((bits >> 14) & 0x3fff) + 1 };
    }
    case 0x56503858: // "VP8X", with features
      return { width: bits24(24) + 1, height: bits24(27) + 1 };
  }
  return null;
}

/** Reads the segments up to the frame header; the one of the camera may turn the image. */
function jpegSize(view) {
  let isTurned = false;
  for (let at = 2; view.getUint8(at) === 0xff; at += 2 + view.getUint16(at + 2)) {
    const marker = view.getUint8(at + 1);
    if (marker === 0xe1) isTurned ||= orientationOf(view, at + 4) >= 5;
    if (!isFrame(marker)) continue;
    const [height, width] = [view.getUint16(at + 5), view.getUint16(at + 7)];
    return isTurned ? { width: height, height: width } : { width, height };
  }
  return null;
}

/** A start of frame; three markers of that range are something else. */
const isFrame = (marker) =>
  0xc0 <= marker && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);

/** The orientation in the Exif data at `at`: 1 to 8, of which 5 to 8 swap width and height. */
export function orientationOf(view, at) {
  if (view.getUint32(at) !== 0x45786966) return 1; // "Exif"
  const tiff = at + 6;
  const little = view.getUint16(tiff) === 0x4949;
  const directory = tiff + view.getUint32(tiff + 4, little);
  const count = view.getUint16(directory, little);
  for (let n = 0; n < count; n += 1) {
    const entry = directory + 2 + 12 * n;
    if (view.getUint16(entry, little) === 0x0112) return view.getUint16(entry + 8, little);
  }
  return 1;
}
