// Clients of all types, in shared rooms on several nodes, that send messages continuously.

import { Conditions } from "./conditions.mjs";
import { LoadClient } from "./load-client.mjs";
import { Random } from "./random.mjs";
import { NodeRotation } from "./reconnecting-client.mjs";
import { socketIo } from "./socket.io.mjs";
import { LONG_TIMEOUT_MS } from "./timeouts.mjs";
import { interval } from "./timers.mjs";
import { encodeJwt, epochSeconds, SECRET } from "./tokens.mjs";
import { unique } from "./unique.mjs";
import { wsJson } from "./ws.mjs";

const CLIENTS = 60;
const ROOMS = 5;
/** Messages per second of all clients together. */
const MESSAGES_PER_SECOND = 120;
const TICK_MS = 25;
/** How often one client drops its connection, and reconnects to the same node or another one. */
const DISCONNECT_MS = 400;

/** The clients that disconnect for good at a fault: one of each type, on different nodes. */
const STOPPED = [15, 19, 23];

const CLIENT_TYPES = [wsJson, socketIo("4.8", "websocket"), socketIo("4.8", "polling")];
const OLD_CLIENT_TYPES = [socketIo("2.5", "websocket"), socketIo("2.5", "polling")];

export class LoadGenerator {
  clients = [];
  rooms = [];
  /** One room that all clients join. */
  commonRoom = unique("common");
  #nodes;
  #random = new Random(5);
  #sentCount = 0;
  #answers = 0;
  #isPosting = false;
  #posting;
  #conditions = new Conditions();

  /** `clients` is their number, which is even. */
  constructor(nodes, { clients = CLIENTS } = {}) {
    this.#nodes = nodes;
    this.rooms = [this.commonRoom, ...Array.from({ length: ROOMS }, () => unique("room"))];
    for (let n = 0; n < clients; n += 1) this.clients.push(this.#client(n));
  }

  /** Connects all clients, then starts to send. */
  async connectAll() {
    for (const it of this.clients) it.start();
    await this.until("all clients to connect", () =>
      this.clients.every(({ isConnected }) => isConnected),
    );
    this.#isPosting = true;
    this.#posting = Promise.all([this.#postAtRate(), this.#dropConnections()]);
  }

  /** The clients that were not stopped. */
  get running() {
    return this.clients.filter(({ isStopped }) => !isStopped);
  }

  /** Those of them that are in `room`. */
  in(room) {
    return this.running.filter(({ rooms }) => rooms.includes(room));
  }

  /** Stops some clients for good; never the first one, which can read every room. */
  stopSome() {
    for (const n of STOPPED) this.clients[n].stop();
  }

  /** The clients whose connection is on `node`. */
  on(node) {
    return this.running.filter((it) => it.isConnected && it.connection.node === node);
  }

  /** Waits until `count` more messages are acknowledged. */
  async progress(count) {
    const enough = this.#answers + count;
    await this.until(`${count} more acknowledgements`, () => enough <= this.#answers);
  }

  /** Stops sending, and waits until everything that was sent is acknowledged. */
  async drain() {
    this.#isPosting = false;
    await this.#posting;
    const isQuiet = () => this.running.every((it) => it.isConnected && it.pending.size === 0);
    await this.until("all acknowledgements", isQuiet);
  }

  /** Waits until every client has received the last message of each of its rooms. */
  async waitUntilDelivered() {
    const heads = new Map();
    const raise = (room, seq) => heads.set(room, Math.max(heads.get(room) ?? 0, seq));
    for (const { sent } of this.clients) {
      for (const { place, answer } of sent) if (answer) raise(place, answer.seq);
    }
    const hasAll = (it) => it.rooms.every((room) => (heads.get(room) ?? 0) <= it.last(room));
    await this.until("all clients to receive the last messages", () => this.running.every(hasAll));
  }

  /** Waits until `condition` holds; it is checked at each event of any client. */
  until(what, condition, timeoutMs = LONG_TIMEOUT_MS) {
    return this.#conditions.until(what, condition, timeoutMs);
  }

  stop() {
    this.#isPosting = false;
    for (const it of this.running) it.stop();
  }

  /** The longest delivery delay of a live message, in milliseconds. */
  get maxDelayMs() {
    return this.clients.flatMap((it) => it.delays).reduce((a, b) => Math.max(a, b), 0);
  }

  /** A summary for the test output. */
  summary() {
    const delays = this.clients.flatMap((it) => it.delays).sort((a, b) => a - b);
    const at = (part) => Math.round(delays[Math.floor(part * (delays.length - 1))] ?? 0);
    const outcomes = new Map();
    for (const it of this.clients) {
      for (const [what, n] of it.outcomes) outcomes.set(what, (outcomes.get(what) ?? 0) + n);
    }
    const reasons = [...outcomes].map(([what, n]) => `${n} × ${what}`).join(", ");
    return (
      `${this.#answers} messages, ${delays.length} live deliveries, `
      + `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms; ${reasons}`
    );
  }

  #client(n) {
    const name = unique(`p${n}`);
    const [one, two] = [n % ROOMS, (n + 1 + (Math.floor(n / ROOMS) % (ROOMS - 1))) % ROOMS];
    const some = [this.commonRoom, this.rooms[one + 1], this.rooms[two + 1]];
    return new LoadClient({
      name,
      clientType: OLD_CLIENT_TYPES[n - 1] ?? CLIENT_TYPES[n % CLIENT_TYPES.length],
      rotation: new NodeRotation(this.#nodes, Math.floor(n / CLIENT_TYPES.length), n % 2 === 0),
      token: encodeJwt({ sub: name, exp: epochSeconds(3600) }, { key: SECRET }),
      rooms: n === 0 ? this.rooms : some, // the first client can read every room
      changed: (what) => this.#changed(what),
    });
  }

  async #postAtRate() {
    const begin = performance.now();
    let sent = 0;
    for await (const _ of interval(TICK_MS)) {
      if (!this.#isPosting) return;
      const due = Math.floor(((performance.now() - begin) * MESSAGES_PER_SECOND) / 1000);
      for (; sent < due; sent += 1) this.#postOne();
    }
  }

  async #dropConnections() {
    for await (const _ of interval(DISCONNECT_MS)) {
      if (!this.#isPosting) return;
      this.#random.pick(this.running).drop();
    }
  }

  #postOne() {
    const sender = this.#random.pick(this.clients);
    const id = unique("m");
    this.#sentCount += 1;
    const body = { n: this.#sentCount, sentAt: performance.now() };
    const kind = this.#random.below(10);
    const room = kind < 2 ? this.commonRoom : this.#random.pick(sender.rooms.slice(1));
    if (kind < 6) sender.post("send message", room, { room, id, msg: body });
    else if (kind < 8) sender.post("GroupChat", room, { room, id, data: body });
    else this.#postDirect(sender, id, body);
  }

  /** Each client has one fixed peer, on another node. */
  #postDirect(sender, id, data) {
    const at = this.clients.indexOf(sender);
    const to = this.clients[(at + this.clients.length / 2) % this.clients.length].name;
    sender.post("SingleChat", to, { to, id, data });
  }

  #changed(what) {
    if (what === "answer") this.#answers += 1;
    this.#conditions.notify();
  }
}
