// Prepares an image file for a message: one that is too large is made smaller, and a JPEG loses what
// the camera wrote into it, such as the place.

import { imageType } from "./body.js";
import { withoutMetadata } from "./jpeg.js";
import { tooLarge } from "./words.js";

/** The first attempt; what is still too large is made smaller by its size. */
const EDGE_MAX_PX = 2_560;
const EDGE_MIN_PX = 16;
const TRIES_MAX = 8;
const QUALITY = 0.82;

/**
 * Returns `{image, type, name}` with at most `bytesMax` bytes, or throws an error whose message is
 * for the user. What the browser can show and others may not, is converted, too.
 */
export async function prepareImage(file, bytesMax) {
  const { name } = file;
  const original = await file.arrayBuffer();
  const type = imageType(original);
  // One that cannot be read is converted, which leaves nothing but its pixels.
  const image = type === "image/jpeg" ? withoutMetadata(original) : original;
  const over = (image ?? original).byteLength - bytesMax;
  if (image && type && over <= 0) return { image, type, name };
  // A smaller copy would be a still image.
  if (type === "image/gif") throw new Error(`${name}: ${tooLarge(over)}`);
  const bitmap = await createImageBitmap(file).catch(() => null); // turned as its camera was
  if (!bitmap) throw new Error("Only PNG, JPEG, GIF and WebP images can be sent.");
  const blob = await smaller(bitmap, bytesMax);
  bitmap.close();
  if (!blob) throw new Error(`${name}: ${tooLarge(over)}`);
  const ending = blob.type.replace("image/", ".").replace("jpeg", "jpg");
  return {
    image: await blob.arrayBuffer(),
    type: blob.type,
    name: `${name.replace(/\.[^.]*$/, "")}${ending}`,
  };
}

/** A smaller copy of at most `bytesMax` bytes, or null. */
async function smaller(bitmap, bytesMax) {
  const longest = Math.max(bitmap.width, bitmap.height);
  let edge = Math.min(longest, EDGE_MAX_PX);
  for (let tries = 0; tries < TRIES_MAX && edge >= 1; tries += 1) {
    const blob = await encode(bitmap, edge / longest);
    if (blob.size <= bytesMax) return blob;
    if (edge <= EDGE_MIN_PX) return null;
    // The bytes grow with the area, a little less for fine detail.
    edge = Math.floor(edge * Math.min(0.9, Math.sqrt(bytesMax / blob.size) * 0.95));
    edge = Math.max(edge, EDGE_MIN_PX);
  }
  return null;
}

async function encode(bitmap, scale) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  const webp = await toBlob(canvas, "image/webp");
  if (webp.type === "image/webp") return webp;
  // A browser that cannot write WebP: JPEG has no transparency, so it gets a white background.
  context.globalCompositeOperation = "destination-over";
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  return toBlob(canvas, "image/jpeg");
}

const toBlob = (canvas, type) => new Promise((resolve) => canvas.toBlob(resolve, type, QUALITY));
