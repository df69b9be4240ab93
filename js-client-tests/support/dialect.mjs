// Clients of dialects: frames as they are, without a vocabulary.

import WebSocket from "ws";

import { EventQueue } from "./event-queue.mjs";
import { withTimeout } from "./timeouts.mjs";
import { wsUrl } from "./ws.mjs";

/** A connection whose frames the test reads one by one. */
export class DialectClient {
  #frames = new EventQueue();

  constructor(socket) {
    this.socket = socket;
    socket.on("error", () => {}); // `closed` reports a broken connection
    socket.on("message", (frame, isBinary) => {
      this.#frames.put("frame", isBinary ? frame : frame.toString());
    });
    this.closed = new Promise((resolve) => {
      socket.once("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    });
  }

  /** Sends text for a string, bytes for bytes, and JSON for another value. */
  send(frame) {
    const isPlain = typeof frame === "string" || frame instanceof Uint8Array;
    this.socket.send(isPlain ? frame : JSON.stringify(frame));
  }

  /** The next frame: a string or bytes. */
  next() {
    return this.#frames.next("frame");
  }

  /** The next frame as JSON. */
  async nextJson() {
    return JSON.parse(await this.next());
  }

  /** The next frame for which `where` holds, as JSON. Others stay unread. */
  async nextWhere(where) {
    const text = await this.#frames.next("frame", (it) => where(JSON.parse(it)));
    return JSON.parse(text);
  }

  /** All frames that the client has received and no test has read. */
  take() {
    return this.#frames.take("frame");
  }

  /** The answer to a frame, which is the next frame of the server. */
  answer(frame) {
    this.send(frame);
    return this.next();
  }

  /** The code and the reason of the close frame. */
  close() {
    return withTimeout("the close", this.closed);
  }
}

/**
 * An open connection to `path`. It is closed when the test ends. The options are those of
 * `wsUrl`, and `protocols` and `headers`.
 */
export async function connectDialect(t, server, { protocols = [], headers, ...address } = {}) {
  const socket = new WebSocket(wsUrl(server, address), protocols, { headers });
  const client = new DialectClient(socket);
  t.after(() => socket.terminate());
  const opened = new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  await withTimeout(`a connection to ${address.path ?? "/ws"}`, opened);
  return client;
}
