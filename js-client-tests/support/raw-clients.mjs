// WebSocket and Socket.IO without a library, to send what no library would send.

import { createHash, randomBytes } from "node:crypto";
import net from "node:net";

import { withTimeout } from "./timeouts.mjs";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** A WebSocket without a library: it sends any bytes, and receives frames. */
export class RawWebSocket {
  #socket;
  #bytes = Buffer.alloc(0);
  #frames = [];
  #notify = () => {};
  #ended = false;

  /**
   * Opens `path` on the server and completes the handshake. `headers` are sent in addition; `head` is
   * the answer.
   */
  static async open(t, server, path = "/ws", headers = {}) {
    const raw = new RawWebSocket();
    const key = randomBytes(16).toString("base64");
    const more = Object.entries(headers);
    raw.#socket = net.connect(server.port, "127.0.0.1");
    raw.#socket.setNoDelay();
    t.after(() => raw.#socket.destroy());
    raw.#socket.on("error", () => {});
    raw.#socket.on("close", () => {
      raw.#ended = true;
      raw.#notify();
    });
    raw.#socket.on("data", (bytes) => {
      raw.#bytes = Buffer.concat([raw.#bytes, bytes]);
      raw.#notify();
    });
    raw.#socket.write(
      `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1:${server.port}\r\nupgrade: websocket\r\n`
        + `connection: Upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${key}\r\n`
        + `${more.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`,
    );
    const head = await raw.#wait("the 101", () => raw.#head());
    raw.head = head;
    const accept = createHash("sha1")
      .update(key + GUID)
      .digest("base64");
    if (!head.startsWith("HTTP/1.1 101") || !head.includes(accept)) throw new Error(head);
    return raw;
  }

  /** Sends bytes as they are. */
  write(bytes) {
    this.#socket.write(bytes);
  }

  /** Sends a text frame. */
  text(text) {
    this.write(encodeFrame({ opcode: TEXT, payload: Buffer.from(text) }));
  }

  /** Sends bytes in parts of this size, each of which is read before or together with the next. */
  async writeInParts(bytes, size) {
    for (let at = 0; at < bytes.length; at += size) {
      this.write(bytes.subarray(at, at + size));
      await new Promise(setImmediate);
    }
  }

  /** Ends the client's side of the connection. */
  end() {
    this.#socket.end();
  }

  /** Stops reading from the server. */
  stopReading() {
    this.#socket.pause();
  }

  /** Resumes reading. */
  resumeReading() {
    this.#socket.resume();
  }

  /** The next frame with this opcode; earlier frames are dropped. */
  next(opcode) {
    return this.#nextFrame(`a frame with opcode ${opcode}`, (it) => it.opcode === opcode);
  }

  /** The next frame. */
  nextFrame() {
    return this.#nextFrame("a frame", () => true);
  }

  /** All frames until the server closes the connection. */
  async rest() {
    await this.ended();
    this.#parse();
    return this.#frames.splice(0);
  }

  /** The next text frame for which `where` holds. */
  async nextText(where = () => true) {
    const fits = ({ opcode, payload }) => opcode === TEXT && where(payload.toString());
    return (await this.#nextFrame("a text frame", fits)).payload.toString();
  }

  /** Breaks the connection. */
  destroy() {
    this.#socket.destroy();
  }

  /** The code of the server's close frame. */
  async closeCode() {
    return (await this.next(CLOSE)).payload.readUInt16BE(0);
  }

  /** Waits until the server has closed the connection. */
  ended() {
    return this.#wait("the end of the connection", () => this.#ended || undefined, true);
  }

  #nextFrame(what, fits) {
    return this.#wait(what, () => {
      this.#parse();
      const at = this.#frames.findIndex(fits);
      return at < 0 ? undefined : this.#frames.splice(0, at + 1).pop();
    });
  }

  #head() {
    const end = this.#bytes.indexOf("\r\n\r\n");
    if (end < 0) return undefined;
    const head = this.#bytes.subarray(0, end).toString("latin1");
    this.#bytes = this.#bytes.subarray(end + 4);
    return head;
  }

  #parse() {
    for (;;) {
      const length = this.#bytes[1] & 0x7f;
      const extra = length === 126 ? 2 : length === 127 ? 8 : 0;
      if (this.#bytes.length < 2 + extra) return;
      const size =
        extra === 0
          ? length
          : extra === 2
            ? this.#bytes.readUInt16BE(2)
            : Number(this.#bytes.readBigUInt64BE(2));
      if (this.#bytes.length < 2 + extra + size) return;
      const payload = this.#bytes.subarray(2 + extra, 2 + extra + size);
      const [first] = this.#bytes;
      this.#frames.push({
        opcode: first & 0x0f,
        fin: (first & 0x80) !== 0,
        rsv: (first >> 4) & 7,
        payload,
      });
      this.#bytes = this.#bytes.subarray(2 + extra + size);
    }
  }

  #wait(what, attempt, mayEnd = false) {
    const found = new Promise((resolve, reject) => {
      this.#notify = () => {
        const result = attempt();
        if (result !== undefined) {
          this.#notify = () => {}; // or it would take the next frame, too
          resolve(result);
        } else if (this.#ended && !mayEnd) reject(new Error(`the connection ended before ${what}`));
      };
      this.#notify();
    });
    return withTimeout(what, found);
  }
}

/** A client's frame, or an invalid one: not masked, reserved bits, any opcode. */
export function encodeFrame({
  opcode,
  payload = Buffer.alloc(0),
  fin = true,
  rsv = 0,
  masked = true,
}) {
  const first = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  const mask = masked ? randomBytes(4) : Buffer.alloc(0);
  const body = masked ? payload.map((byte, at) => byte ^ mask[at % 4]) : payload;
  return Buffer.concat([Buffer.from([first]), size(payload.length, masked), mask, body]);
}

function size(length, masked) {
  const bit = masked ? 0x80 : 0;
  if (length < 126) return Buffer.from([bit | length]);
  const long = 0xffff < length;
  const head = Buffer.alloc(long ? 9 : 3);
  head[0] = bit | (long ? 127 : 126);
  if (long) head.writeBigUInt64BE(BigInt(length), 1);
  else head.writeUInt16BE(length, 1);
  return head;
}

/** A polling session without a library: Engine.IO 4, one request at a time. */
export class RawPolling {
  #url;

  static async open(server, { headers = {}, query = "" } = {}) {
    const raw = new RawPolling();
    raw.#url = `${server.url}/socket.io/?EIO=4&transport=polling${query}`;
    const answer = await fetchText(raw.#url, { headers });
    if (answer.status !== 200) return { refused: answer };
    raw.headers = answer.headers;
    raw.handshake = JSON.parse(answer.body.slice(1));
    raw.#url += `&sid=${raw.handshake.sid}`;
    return raw;
  }

  /** Sends packets; returns `{ status, headers, body }`. */
  post(packets, type = "text/plain;charset=UTF-8") {
    return fetchText(this.#url, {
      method: "POST",
      body: packets,
      headers: { "content-type": type },
    });
  }

  /** The packets of one poll, which waits for at least one. */
  async poll() {
    const { status, body } = await fetchText(this.#url);
    return { status, packets: body.split("\x1e") };
  }

  /** Polls until a packet for which `where` holds arrives. */
  async next(where) {
    for (;;) {
      const { status, packets } = await this.poll();
      if (status !== 200) throw new Error(`a poll was answered ${status}`);
      const found = packets.find(where);
      if (found) return found;
    }
  }
}

/** An HTTP request and its whole answer. */
export async function fetchText(url, options = {}) {
  return withTimeout(`the answer of ${url}`, answerOf(url, options));
}

async function answerOf(url, options) {
  const response = await fetch(url, { redirect: "manual", ...options });
  return { status: response.status, headers: response.headers, body: await response.text() };
}
