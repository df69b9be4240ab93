// A chat client for all transports: identifies, counts what it receives, and checks the order.

import { PollingPeer } from "./polling-peer.mjs";
import { WebSocketPeer } from "./websocket-peer.mjs";

const SEQ = ',"seq":';
const N = "n".charCodeAt(0);
const M = "m".charCodeAt(0);

/** Counts what the clients of one room have received together. */
export class Tally {
  messages = 0;
  disorder = 0;
  lost = 0;
  /** Bytes in binary frames. */
  attached = 0;
  #waiting = [];

  /** Counts one received message. Called with its `seq` and the client. */
  add() {
    this.messages += 1;
    const [first] = this.#waiting;
    if (first && first.wanted <= this.messages) this.#waiting.shift().resolve();
  }

  /** Resolves when `wanted` messages have been received. */
  reach(wanted) {
    if (wanted <= this.messages) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ wanted, resolve }));
  }
}

/** Created by `connect`. */
class Client {
  last = 0;
  missed = [];
  #peer;
  #wire;
  #name;
  #auth;
  #tally;
  #observe;
  #acks = new Map();
  #nextAck = 0;
  #welcome;
  #recovered;
  #closing = false;

  constructor({ port, wire, name, auth = {}, tally = new Tally(), observe }) {
    this.#wire = wire;
    this.#name = name;
    this.#auth = auth;
    this.#tally = tally;
    this.#observe = observe;
    this.welcomed = new Promise((resolve, reject) => {
      this.#welcome = { resolve, reject };
    });
    this.recovered = new Promise((resolve) => (this.#recovered = resolve));
    const Kind = wire === "polling" ? PollingPeer : WebSocketPeer;
    this.#peer = new Kind({
      port,
      path: wire === "ws" ? `/ws${query(auth)}` : "/socket.io/?EIO=4&transport=websocket",
      onFrame: wire === "ws" ? this.#onJson : this.#onPacket,
      onBytes: (size) => (tally.attached += size),
      ended: (code) => this.#ended(code),
    });
    if (wire === "ws" && !auth.token) this.#identify();
  }

  /** Sends a request; resolves with the arguments of its acknowledgement. */
  ask(event, data) {
    return this.askAll(event, [data])[0];
  }

  /** Sends several requests in one write. */
  askAll(event, list) {
    const texts = [];
    const answers = list.map((data) => {
      const ack = this.#nextAck++;
      texts.push(
        this.#wire === "ws"
          ? JSON.stringify({ event, data, ack })
          : `42${ack}${JSON.stringify([event, data])}`,
      );
      return new Promise((resolve) => this.#acks.set(ack, resolve));
    });
    this.#peer.send(...texts);
    return answers;
  }

  /** Sends an event without an acknowledgement. */
  tell(event, data) {
    const text =
      this.#wire === "ws" ? JSON.stringify({ event, data }) : `42${JSON.stringify([event, data])}`;
    this.#peer.send(text);
  }

  /** Sends bytes in the form of the wire; resolves like `ask`. */
  askBytes(event, bytes) {
    if (this.#wire === "ws") return this.ask(event, { base64: bytes.toString("base64") });
    const ack = this.#nextAck++;
    const packet = JSON.stringify([event, { _placeholder: true, num: 0 }]);
    this.#peer.send(`451-${ack}${packet}`, bytes);
    return new Promise((resolve) => this.#acks.set(ack, resolve));
  }

  close() {
    this.#closing = true;
    this.#peer.close();
  }

  async #identify() {
    const answer = await this.ask("new user", this.#name);
    const { token, ok = true } = this.#wire === "ws" ? answer[0] : answer[1];
    if (!ok || answer[0] === false) this.#welcome.reject(new Error(JSON.stringify(answer)));
    this.token = token;
  }

  #ended(code) {
    if (this.#closing) return;
    this.#welcome.reject(new Error(`the connection ended (${code}) before the welcome`));
    this.#tally.lost += 1;
  }

  /** A message, whose `seq` is at a known offset: the only frequent event, so it is not parsed. */
  #count(bytes, start, end) {
    const at = this.#seqAt || this.#findSeq(bytes, start, end);
    let seq = 0;
    for (let digit = start + at; ; digit += 1) {
      const value = bytes[digit] - 48;
      if (value < 0 || 9 < value) break;
      seq = seq * 10 + value;
    }
    if (this.last !== 0 && seq !== this.last + 1) this.#tally.disorder += 1;
    this.last = seq;
    this.#observe?.(bytes, start, end);
    this.#tally.add(seq, this);
  }

  #seqAt = 0;

  #findSeq(bytes, start, end) {
    this.#seqAt = bytes.toString("latin1", start, end).indexOf(SEQ) + SEQ.length;
    return this.#seqAt;
  }

  #onPacket = (bytes, start, end) => {
    // 42["new message", or an event of the application that begins like it
    if (bytes[start + 4] === N && bytes[start + 8] === M) {
      this.#count(bytes, start, end);
      return;
    }
    const text = bytes.toString("utf8", start, end);
    if (text === "2") this.#peer.send("3");
    else if (text.startsWith("0{")) this.#peer.send(`40${JSON.stringify(this.#auth)}`);
    else if (text.startsWith("40{")) this.#auth.token ?? this.#identify();
    else if (text.startsWith("44{")) this.#welcome.reject(new Error(text));
    else if (text.startsWith("43")) {
      const json = text.indexOf("[");
      this.#answered(Number(text.slice(2, json)), JSON.parse(text.slice(json)));
    } else if (text.startsWith("42")) this.#event(...JSON.parse(text.slice(2)));
    else if (text.startsWith('451-["new message"')) this.#count(bytes, start, end);
  };

  #onJson = (bytes, start, end) => {
    // {"event":"new message", or an event of the application that begins like it
    if (bytes[start + 10] === N && bytes[start + 14] === M) {
      this.#count(bytes, start, end);
      return;
    }
    const frame = JSON.parse(bytes.toString("utf8", start, end));
    if (frame.ack === undefined) this.#event(frame.event, frame.data);
    else this.#answered(frame.ack, [frame]);
  };

  #answered(ack, answer) {
    this.#acks.get(ack)?.(answer);
    this.#acks.delete(ack);
  }

  #event(name, data) {
    if (name === "welcome") this.#welcome.resolve(this);
    if (name === "missed") {
      this.missed.push(...data.messages);
      if (!data.more) this.#recovered(this.missed);
    }
  }
}

function query(auth) {
  const { since, ...given } = auth;
  if (since) given.since = Object.entries(since).map(([room, seq]) => `${room}:${seq}`);
  return Object.keys(given).length === 0 ? "" : `?${new URLSearchParams(given)}`;
}

/** A client that has received `welcome`. */
export function connect(options) {
  return new Client(options).welcomed;
}

/** Connects many clients, `step` at a time. */
export async function connectAll(count, step, make) {
  const clients = [];
  for (let first = 0; first < count; first += step) {
    const numbers = Array.from({ length: Math.min(step, count - first) }, (_, at) => first + at);
    clients.push(...(await Promise.all(numbers.map((number) => connect(make(number))))));
  }
  return clients;
}
