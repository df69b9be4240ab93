// Engine.IO over polling on one persistent connection: one request at a time, a poll always
// pending.

import net from "node:net";

/** Like `WebSocketPeer`, but over polling. Only for Socket.IO. */
export class PollingPeer {
  #socket;
  #port;
  #path = "/socket.io/?EIO=4&transport=polling";
  #answer = "";
  #posts = [];
  #posting = false;

  constructor({ port, onFrame, ended }) {
    this.onFrame = onFrame;
    this.#port = port;
    this.#socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
    this.#socket.setEncoding("latin1"); // lengths are in bytes, and the content is ASCII
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => ended(this.closeCode));
    this.#socket.on("data", (text) => this.#read(text));
    this.#get();
  }

  /** Sent when the pending poll has been answered. */
  send(...texts) {
    this.#posts.push(...texts);
  }

  close() {
    this.#socket.destroy();
  }

  #get() {
    this.#posting = false;
    this.#request("GET", "");
  }

  #request(method, body) {
    this.#socket.write(
      `${method} ${this.#path} HTTP/1.1\r\nhost: 127.0.0.1:${this.#port}\r\n`
        + `content-type: text/plain\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
  }

  #read(text) {
    this.#answer += text;
    const headEnd = this.#answer.indexOf("\r\n\r\n");
    if (headEnd < 0) return;
    const length = /\r\ncontent-length: *(\d+)/i.exec(this.#answer.slice(0, headEnd));
    if (!this.#answer.startsWith("HTTP/1.1 200") || !length) {
      this.closeCode = this.#answer.slice(0, this.#answer.indexOf("\r\n"));
      this.#socket.destroy();
      return;
    }
    const end = headEnd + 4 + Number(length[1]);
    if (this.#answer.length < end) return;
    const body = this.#answer.slice(headEnd + 4, end);
    this.#answer = "";
    if (!this.#posting) this.#receive(body);
    if (this.#posts.length === 0) return this.#get();
    this.#posting = true;
    this.#request("POST", this.#posts.splice(0).join("\x1e"));
  }

  #receive(body) {
    for (const packet of body.split("\x1e")) {
      if (packet.startsWith("0{")) this.#path += `&sid=${JSON.parse(packet.slice(1)).sid}`;
      const bytes = Buffer.from(packet, "latin1");
      this.onFrame(bytes, 0, bytes.length);
    }
  }
}
