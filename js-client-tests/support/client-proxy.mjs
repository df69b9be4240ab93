// A TCP proxy in front of the server that behaves like the proxies that clients connect through.

import { once } from "node:events";
import net from "node:net";

const UPGRADE = /\r\nupgrade: *websocket/i;
const REQUEST = /(?:^|\r\n)(?:GET|POST) \/socket\.io\//g;

export class ClientProxy {
  /** How many polling requests and WebSocket handshakes passed. */
  requests = 0;
  upgrades = 0;
  #upgrade;
  #server;
  #listener;
  #connections = new Set();
  #holeClosed;

  /**
   * `upgrade` is what happens to WebSocket handshakes: `pass`, `refuse` (answered 502), or `black
   * hole` (accepted, then no byte passes in either direction).
   */
  constructor(server, { upgrade = "pass" } = {}) {
    this.#server = server;
    this.#upgrade = upgrade;
    /** Resolves when the server closes a WebSocket whose frames went into the black hole. */
    this.holeClosed = new Promise((resolve) => (this.#holeClosed = resolve));
  }

  get url() {
    return `http://127.0.0.1:${this.#listener.address().port}`;
  }

  async start(t) {
    this.#listener = net.createServer((near) => this.#accept(near));
    this.#listener.listen(0, "127.0.0.1");
    await once(this.#listener, "listening");
    t.after(() => {
      this.cut();
      this.#listener.close();
    });
    return this;
  }

  /** Breaks every open connection. New connections pass. */
  cut() {
    for (const { near, far } of this.#connections) {
      near.destroy();
      far.destroy();
    }
  }

  /** Stops reading from the server on the connections that are open now. */
  stopReading() {
    for (const { near, far } of this.#connections) {
      far.unpipe(near);
      far.pause();
    }
  }

  #accept(near) {
    near.on("error", () => {});
    near.once("data", (head) => {
      const upgrade = UPGRADE.test(head.toString("latin1"));
      if (upgrade) this.upgrades += 1;
      if (upgrade && this.#upgrade === "refuse") {
        near.end("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        return;
      }
      this.#join(near, head, upgrade && this.#upgrade === "black hole");
    });
  }

  #join(near, head, hole) {
    const far = net.connect(this.#server.port, "127.0.0.1");
    const pair = { near, far };
    this.#connections.add(pair);
    far.on("error", () => {});
    far.once("close", () => {
      this.#connections.delete(pair);
      if (hole) this.#holeClosed();
      else near.destroy();
    });
    near.once("close", () => {
      if (!hole) far.destroy();
    });
    this.#count(head);
    far.write(head);
    if (hole) {
      far.once("data", (answer) => near.write(answer)); // the 101, and nothing after it
      far.on("data", () => {});
      near.on("data", () => {});
      return;
    }
    near.on("data", (bytes) => this.#count(bytes));
    near.pipe(far);
    far.pipe(near);
  }

  #count(bytes) {
    this.requests += bytes.toString("latin1").match(REQUEST)?.length ?? 0;
  }
}
