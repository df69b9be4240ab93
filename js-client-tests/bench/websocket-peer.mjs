// A minimal WebSocket client: the load generator shares two cores with the server that it measures.

import { randomBytes } from "node:crypto";
import net from "node:net";

const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

/** One buffer for all sockets: each read is consumed before the next one begins. */
const BUFFER = Buffer.allocUnsafe(1 << 18);

/** A WebSocket client that passes on the bytes of every text frame without copies. */
export class WebSocketPeer {
  #socket;
  #rest;
  #head = "";
  #open;

  /**
   * `onFrame(bytes, start, end)` is called for each text frame, `onBytes(size)` for each binary one,
   * `ended(code)` once.
   */
  constructor({ port, path, onFrame, onBytes, ended }) {
    this.onFrame = onFrame;
    this.onBytes = onBytes;
    const key = randomBytes(16).toString("base64");
    const onread = {
      buffer: BUFFER,
      callback: (length) => {
        this.#read(BUFFER.subarray(0, length));
        return true;
      },
    };
    this.#socket = net.connect({ port, host: "127.0.0.1", noDelay: true, onread });
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => ended(this.closeCode));
    this.#socket.write(
      `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nupgrade: websocket\r\n`
        + `connection: Upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${key}\r\n\r\n`,
    );
    this.#open = false;
  }

  /** Sends texts and buffers in one write. */
  send(...payloads) {
    const frames = payloads.map((payload) => {
      return typeof payload === "string"
        ? frame(TEXT, Buffer.from(payload))
        : frame(BINARY, payload);
    });
    this.#socket.write(Buffer.concat(frames));
  }

  close() {
    this.#socket.destroy();
  }

  #read(chunk) {
    let bytes = chunk;
    if (!this.#open) {
      bytes = this.#handshake(chunk);
      if (!bytes) return;
    } else if (this.#rest) {
      bytes = Buffer.concat([this.#rest, chunk]);
      this.#rest = undefined;
    }
    const used = this.#frames(bytes);
    if (used < bytes.length) this.#rest = Buffer.from(bytes.subarray(used));
  }

  #handshake(chunk) {
    this.#head += chunk.toString("latin1");
    const end = this.#head.indexOf("\r\n\r\n");
    if (end < 0) return undefined;
    if (!this.#head.startsWith("HTTP/1.1 101")) {
      this.closeCode = this.#head.slice(0, this.#head.indexOf("\r\n"));
      this.#socket.destroy();
      return undefined;
    }
    const rest = Buffer.from(this.#head.slice(end + 4), "latin1");
    this.#head = "";
    this.#open = true;
    return rest;
  }

  /** Handles the complete frames in `bytes`; returns the offset of the first incomplete one. */
  #frames(bytes) {
    let at = 0;
    for (;;) {
      if (bytes.length < at + 2) return at;
      const opcode = bytes[at] & 0x0f;
      let size = bytes[at + 1] & 0x7f;
      let start = at + 2;
      if (size === 126) {
        if (bytes.length < at + 4) return at;
        size = bytes.readUInt16BE(at + 2);
        start = at + 4;
      } else if (size === 127) {
        if (bytes.length < at + 10) return at;
        size = Number(bytes.readBigUInt64BE(at + 2));
        start = at + 10;
      }
      const end = start + size;
      if (bytes.length < end) return at;
      if (opcode === TEXT) this.onFrame(bytes, start, end);
      else if (opcode === BINARY) this.onBytes(size);
      else if (opcode === PING) this.#socket.write(frame(PONG, bytes.subarray(start, end)));
      else if (opcode === CLOSE) this.closeCode = 2 <= size ? bytes.readUInt16BE(start) : 1005;
      at = end;
    }
  }
}

/** A client's frame. Its mask of zeros is valid and leaves the bytes unchanged. */
function frame(opcode, payload) {
  const size = payload.length;
  const extra = size < 126 ? 0 : size < 65_536 ? 2 : 8;
  const bytes = Buffer.alloc(2 + extra + 4 + size);
  bytes[0] = 0x80 | opcode;
  bytes[1] = 0x80 | (extra === 0 ? size : extra === 2 ? 126 : 127);
  if (extra === 2) bytes.writeUInt16BE(size, 2);
  if (extra === 8) bytes.writeBigUInt64BE(BigInt(size), 2);
  payload.copy(bytes, 2 + extra + 4);
  return bytes;
}
