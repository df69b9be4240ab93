// Plain WebSocket, with the usual library.

import WebSocket from "ws";

import { Client } from "./client.mjs";
import { assertAnswer, assertEvent } from "./contract.mjs";
import { toQuery } from "./socket.io.mjs";
import { withTimeout } from "./timeouts.mjs";

/** The address of `/ws` with its parameters. */
export function wsUrl(server, { space, path = "/ws", query, credentials, ...handshake } = {}) {
  const url = new URL(path, server.url.replace("http", "ws"));
  const parameters = { ...toQuery(handshake), ...(space && { space }), ...query };
  for (const [key, value] of Object.entries(parameters)) url.searchParams.set(key, value);
  if (credentials) [url.username, url.password] = credentials;
  return url;
}

/** The library's socket, as applications create it. */
function open(server, options = {}) {
  const { protocols = [], headers, extra } = options;
  return new WebSocket(wsUrl(server, options), protocols, { headers, ...extra });
}

/** A client with the subprotocol `roomcast.json`. */
export class WsClient extends Client {
  #lastAck = 0;
  #answers = new Map();
  #responders = new Map();

  constructor(socket) {
    super();
    this.socket = socket;
    /** Resolves with `{ code, reason }` of the close frame. */
    this.closed = new Promise((resolve) => {
      socket.once("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    /** Rejects with the HTTP answer when the server refuses the connection. */
    this.connected = new Promise((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("unexpected-response", (_, response) => reject(response));
      socket.once("error", reject);
    });
    this.connected.catch(() => {});
    socket.on("error", () => {}); // `closed` reports a broken connection
    socket.on("message", (frame, isBinary) => this.#take(this.decode(frame, isBinary)));
  }

  request(event, data) {
    const ack = ++this.#lastAck;
    const answer = new Promise((resolve) => this.#answers.set(ack, { event, resolve }));
    this.send({ event, data, ack });
    return answer;
  }

  emit(event, data) {
    this.send({ event, data });
  }

  /** Sends an event of the application with these arguments. */
  requestWith(event, args) {
    const ack = ++this.#lastAck;
    const answer = new Promise((resolve) => this.#answers.set(ack, { event, resolve }));
    this.send({ event, args, ack });
    return answer;
  }

  emitWith(event, args) {
    this.send({ event, args });
  }

  /** Answers asks for an event with what `respond` returns for its arguments; `null` is no answer. */
  answerAsks(event, respond) {
    this.#responders.set(event, respond);
    return this;
  }

  /** A client of `/ws` receives every event. */
  listenTo() {
    return this;
  }

  /**
   * Sends an object as a frame; the reply to an `ack` of the test's own becomes the event "answer".
   */
  send(frame) {
    this.sendRaw(this.encode(frame));
  }

  /** An object as a frame of this format. */
  encode(object) {
    return JSON.stringify(object);
  }

  /** The reverse. */
  decode(frame, isBinary) {
    if (isBinary) throw new Error("a binary frame arrived on a JSON connection");
    return JSON.parse(frame);
  }

  /** Sends a frame as it is: text for a string, binary for bytes. */
  sendRaw(frame) {
    this.socket.send(frame);
  }

  close() {
    this.socket.terminate();
  }

  /** Drops the connection without a close frame. */
  drop() {
    this.socket.terminate();
  }

  #take({ ask, ...frame }) {
    this.#check(frame);
    const respond = ask !== undefined && this.#responders.get(frame.event);
    if (!respond) return this.#takeFrame({ ...frame, ...(ask !== undefined && { ask }) });
    const answer = respond(frame.args);
    if (answer) this.send({ answer: ask, args: answer });
  }

  #takeFrame({ event, data, args, ack, ...answer }) {
    if (ack === undefined) return this.events.put(event, args ?? data);
    const asked = this.#answers.get(ack);
    this.#answers.delete(ack);
    const whole = { ...answer, ...(data !== undefined && { data }), ...(args && { args }) };
    return asked ? asked.resolve(whole) : this.events.put("answer", { ack, ...whole });
  }

  /** Every frame of the server is as `roomcast contract` says. */
  #check({ ack, ...frame }) {
    if (ack === undefined) assertEvent(frame.event, frame.data);
    else assertAnswer(this.#answers.get(ack)?.event, frame);
  }
}

export const wsJson = {
  label: "plain WebSocket",
  wire: "ws",
  legacy: false,
  asciiOnly: false,
  transport: "websocket",
  text: (text) => text,
  ClientClass: WsClient,
  /** What is offered in addition to the test's own offer. */
  offer: () => ({}),

  /** A connection that the server has accepted. */
  async connect(server, options = {}) {
    const client = new this.ClientClass(open(server, { ...options, ...this.offer(options) }));
    await withTimeout(`a connection of ${this.label}`, client.connected);
    return client;
  },

  /** The code with which the server refuses the connection. */
  async refusal(server, options) {
    const { body } = await this.refusalAnswer(server, options);
    return body.code;
  },

  /** How a client without a token is refused: after the upgrade, as browsers hide HTTP refusals. */
  async guestRefusal(server, options) {
    const client = await this.connect(server, options);
    const { code: why, reconnect } = await client.next("closing");
    return { why, reconnect, ...(await withTimeout("the close", client.closed)) };
  },

  /** The HTTP answer with which the server refuses the connection. */
  async refusalAnswer(server, options = {}) {
    const client = new this.ClientClass(open(server, { ...options, ...this.offer(options) }));
    const response = await withTimeout(
      `a refusal of ${this.label}`,
      client.connected.then(
        () => {
          client.close();
          throw new Error("the server accepted a connection that it must refuse");
        },
        (refusal) => refusal,
      ),
    );
    if (response instanceof Error) throw response;
    const chunks = [];
    for await (const chunk of response) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const { statusCode: status, headers } = response;
    const isJson = headers["content-type"]?.includes("json");
    return { status, headers, body: isJson ? JSON.parse(text) : text };
  },
};
