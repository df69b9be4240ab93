// Messages of `permessage-deflate` (RFC 7692) on raw sockets.

import assert from "node:assert/strict";
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";

import { encodeFrame, TEXT } from "./raw-clients.mjs";

/** RSV1, which marks a compressed message. */
export const COMPRESSED = 4;
export const OFFER = { "sec-websocket-extensions": "permessage-deflate" };
export const ANSWER = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

const TAIL = Buffer.from([0, 0, 0xff, 0xff]);

/** Offers, each with its answer. */
export const NEGOTIATIONS = [
  ["permessage-deflate", ANSWER],
  ["permessage-deflate; client_max_window_bits", ANSWER],
  ["permessage-deflate; client_max_window_bits=9; server_no_context_takeover", ANSWER],
  ["permessage-deflate; server_max_window_bits=15", `${ANSWER}; server_max_window_bits=15`],
  ["permessage-deflate; server_max_window_bits=8", `${ANSWER}; server_max_window_bits=8`],
  ['permessage-deflate; server_max_window_bits="10"', `${ANSWER}; server_max_window_bits=10`],
  ["x-other, permessage-deflate; unknown, permessage-deflate", ANSWER],
  [["x-other", "permessage-deflate"], ANSWER],
  ["permessage-deflate; unknown", undefined],
  ["permessage-deflate; server_max_window_bits=16", undefined],
  ["permessage-deflate; server_max_window_bits", undefined],
  ["permessage-deflate; client_max_window_bits=7", undefined],
  ["permessage-deflate; client_no_context_takeover=1", undefined],
  ["permessage-deflate; server_no_context_takeover; server_no_context_takeover", undefined],
  ["x-webkit-deflate-frame", undefined],
  [undefined, undefined],
];

/** The content of a compressed message. */
export function deflate(content, options = {}) {
  const flushed = { finishFlush: constants.Z_SYNC_FLUSH, ...options };
  return deflateRawSync(content, flushed).subarray(0, -TAIL.length);
}

/** The content of a message that was compressed for a window of this size. */
export function inflate(payload, windowBits = 15) {
  return inflateRawSync(Buffer.concat([payload, TAIL]), {
    finishFlush: constants.Z_SYNC_FLUSH,
    windowBits,
  });
}

/** A compressed message. */
export const compressed = (opcode, content, options) =>
  encodeFrame({ opcode, payload: deflate(content, options), rsv: COMPRESSED });

/** A frame whose compressed content is given. */
export const rawCompressed = (payload, more = {}) =>
  encodeFrame({ opcode: TEXT, payload: Buffer.from(payload), rsv: COMPRESSED, ...more });

/** Asserts that a frame is compressed, and that it is `content`. */
export function assertCompressed(frame, opcode, content, windowBits = 15) {
  const { payload, ...head } = frame;
  assert.deepEqual(head, { opcode, fin: true, rsv: COMPRESSED });
  assert.ok(payload.length < content.length);
  const inflated = inflate(payload, windowBits);
  assert.ok(inflated.equals(Buffer.from(content)), `${inflated.length} bytes`);
}

/** Words of which no two are the same, `length` bytes together. */
export function words(length) {
  let text = "";
  for (let at = 0; text.length < length; at += 1) text += `word ${at * at} `;
  return text.slice(0, length);
}
