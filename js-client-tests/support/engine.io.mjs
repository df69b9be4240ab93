// Engine.IO without a library: sessions over polling of both versions, request by request.

import net from "node:net";

import { httpRequest, upgradeHeaders } from "./http.mjs";
import { RawWebSocket } from "./raw-clients.mjs";
import { withTimeout } from "./timeouts.mjs";
import { waitUntil } from "./wait-until.mjs";

export const SOCKET_IO_PATH = "/socket.io/";

/** Between the packets of a payload of version 4. */
const SEPARATOR = "\x1e";

/** The path of a request with these parameters. */
export function enginePath(query) {
  return `${SOCKET_IO_PATH}?${query}`;
}

/** The answer to an upgrade request that is refused, or the status 101. */
export function upgradeRequest(server, query, headers = {}) {
  return httpRequest(server, enginePath(query), { headers: { ...upgradeHeaders(), ...headers } });
}

/** A session over polling. Requests are sent as they are asked for, also two at once. */
export class EngineIoPolling {
  #server;

  /** Opens a session. */
  static async open(server, version = 4) {
    const session = new EngineIoPolling();
    session.#server = server;
    session.version = version;
    session.opened = await httpRequest(server, enginePath(`EIO=${version}&transport=polling`));
    const [open] = decode(version, session.opened.body);
    session.handshake = JSON.parse(open.slice(1));
    session.query = `EIO=${version}&transport=polling&sid=${session.handshake.sid}`;
    return session;
  }

  /** Opens a session that is connected to the space `/`, and for which nothing waits. */
  static async connect(server, version = 4) {
    const session = await EngineIoPolling.open(server, version);
    if (version === 4) await session.post("40");
    await session.pollUntil((packet) => packet.startsWith("40"));
    await session.ask();
    return session;
  }

  /** A request of this session; `query` replaces its own. */
  request({ query = this.query, ...options } = {}) {
    return httpRequest(this.#server, enginePath(query), options);
  }

  /** Sends a payload of these packets. */
  post(...packets) {
    return this.postBody(encode(this.version, packets));
  }

  /** Sends a payload as it is. */
  postBody(body, type = "text/plain;charset=UTF-8") {
    return this.request({ method: "POST", body, headers: { "content-type": type } });
  }

  /** Polls once: the answer and, after success, its packets. */
  async poll() {
    const answer = await this.request();
    const packets = answer.status === 200 ? decode(this.version, answer.body) : [];
    return { ...answer, packets };
  }

  /** Polls until a packet for which `where` holds arrives. */
  async pollUntil(where) {
    for (;;) {
      const { status, packets, body } = await this.poll();
      if (status !== 200) throw new Error(`a poll was answered ${status} ${JSON.stringify(body)}`);
      const found = packets.find(where);
      if (found !== undefined) return found;
    }
  }

  /** Sends a request that is acknowledged, and waits for the acknowledgement. */
  async ask() {
    const { status } = await this.post('42999["GroupList"]');
    if (status !== 200) throw new Error(`the request was answered ${status}`);
    return this.pollUntil((packet) => packet.startsWith("43999["));
  }

  /**
   * Sends the beginning of a request, closes the socket and waits for the server to do so, too.
   * `announced` is the length of the body.
   */
  async breakOff(method, { body = "", announced = body.length } = {}) {
    const socket = net.connect(this.#server.port, "127.0.0.1");
    socket.on("error", () => {});
    const length = method === "POST" ? `content-length: ${announced}\r\n` : "";
    socket.end(
      `${method} ${enginePath(this.query)} HTTP/1.1\r\nhost: 127.0.0.1:${this.#server.port}\r\n`
        + `content-type: text/plain\r\n${length}\r\n${body}`,
    );
    await withTimeout("the end of the socket", socket.toArray());
  }

  /** Waits until the server does not know the session any more. */
  ended() {
    return waitUntil("the end of the session", () => this.isUnknown());
  }

  /** Whether the server does not know the session any more. */
  async isUnknown() {
    // For a known session this is code 3: it is no upgrade.
    const { body } = await this.request({ query: this.query.replace("=polling", "=websocket") });
    return body.code === 1;
  }

  /** Opens a WebSocket for the upgrade of the session. */
  openWebSocket(t) {
    const query = this.query.replace("=polling", "=websocket");
    return RawWebSocket.open(t, this.#server, enginePath(query));
  }

  /** Upgrades the session, of which no request is pending. */
  async upgrade(t) {
    const raw = await this.openWebSocket(t);
    raw.text("2probe");
    await raw.nextText((packet) => packet === "3probe");
    raw.text("5");
    return raw;
  }
}

function encode(version, packets) {
  if (version === 4) return packets.join(SEPARATOR);
  return packets.map((packet) => `${packet.length}:${packet}`).join("");
}

function decode(version, payload) {
  if (version === 4) return payload.split(SEPARATOR);
  const packets = [];
  for (let rest = payload; rest !== ""; ) {
    const [head] = rest.split(":", 1);
    const end = head.length + 1 + Number(head);
    packets.push(rest.slice(head.length + 1, end));
    rest = rest.slice(end);
  }
  return packets;
}
