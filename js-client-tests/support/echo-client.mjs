// `/ws` as an echo server: the dialect `echo-protocol`, and each client in a room of its own.

import assert from "node:assert/strict";

import { CLOSE, encodeFrame, PING, PONG, RawWebSocket } from "./raw-clients.mjs";
import { unique } from "./unique.mjs";

/** The settings of the server. */
export const ECHO_SETTINGS = {
  "limits.body_bytes_max": 150_000,
  "limits.frame_bytes_max": 1_000_000,
  "sqlite.synchronous": "normal",
};

/** An open connection in a room of its own. */
export function openEcho(t, server, headers = {}) {
  const protocol = { "sec-websocket-protocol": "echo-protocol" };
  return RawWebSocket.open(t, server, `/ws/${unique("room")}`, { ...protocol, ...headers });
}

/** A close frame with this code and reason. */
export function closeFrame(code, reason = "") {
  const payload = Buffer.concat([Buffer.alloc(2), Buffer.from(reason)]);
  payload.writeUInt16BE(code);
  return encodeFrame({ opcode: CLOSE, payload });
}

/** A message in fragments with these payloads, each of its frames in a part of its own. */
export function fragments(opcode, payloads) {
  return payloads.map((payload, at) =>
    encodeFrame({
      opcode: at === 0 ? opcode : 0,
      fin: at === payloads.length - 1,
      payload: Buffer.from(payload),
    }),
  );
}

/** Asserts that the next frame is a whole message with this payload. */
export async function assertEcho(echo, opcode, payload, what) {
  const frame = await echo.nextFrame();
  assert.deepEqual([frame.opcode, frame.fin, frame.rsv], [opcode, true, 0], what);
  assert.ok(frame.payload.equals(Buffer.from(payload)), `${what}: ${frame.payload.length} bytes`);
}

/** Asserts that the server ends the connection with a close frame with this code, and nothing else. */
export async function assertFails(echo, code, what) {
  const frames = await echo.rest();
  const found = frames.map(({ opcode, payload }) => [opcode, payload.readUInt16BE(0)]);
  assert.deepEqual(found, [[CLOSE, code]], what);
}

/** Asserts that the connection is open, and that nothing waits before the answer to a ping. */
export async function assertOpen(echo, what) {
  echo.write(encodeFrame({ opcode: PING, payload: Buffer.from("open?") }));
  await assertEcho(echo, PONG, "open?", what);
}

/** Asserts that the client's close is answered, and that the server ends the connection. */
export async function assertCloses(echo, what) {
  echo.write(closeFrame(1000));
  await assertFails(echo, 1000, what);
}
