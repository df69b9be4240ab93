// Sixty people on all kinds of clients, in shared rooms on several nodes, who talk all the time.

import { Chance } from "./chance.mjs";
import { Route } from "./lines.mjs";
import { unique } from "./names.mjs";
import { LONG_PATIENCE, within } from "./patience.mjs";
import { Resident } from "./resident.mjs";
import { way } from "./socket.io.mjs";
import { every } from "./ticks.mjs";
import { epoch, jwt, SECRET } from "./tokens.mjs";
import { plain } from "./ws.mjs";

const PEOPLE = 60;
const ROOMS = 5;
/** Messages in each second, all people together. */
const PACE = 120;
const TICK_MS = 25;
/** Somebody loses the connection, and comes back on the same node or another one. */
const LOSS_MS = 400;

/** Who goes when something breaks: one of each kind of client, on different nodes. */
const LEAVERS = [15, 19, 23];

const WAYS = [plain, way("4.8", "websocket"), way("4.8", "polling")];
const OLD_WAYS = [way("2.5", "websocket"), way("2.5", "polling")];

export class Crowd {
  people = [];
  rooms = [];
  /** One room with everybody. */
  square = unique("square");
  #nodes;
  #chance = new Chance(5);
  #said = 0;
  #answers = 0;
  #isTalking = false;
  #talk;
  #waits = new Set();

  constructor(nodes) {
    this.#nodes = nodes;
    this.rooms = [this.square, ...Array.from({ length: ROOMS }, () => unique("room"))];
    for (let n = 0; n < PEOPLE; n += 1) this.people.push(this.#person(n));
  }

  /** Everybody comes in; then they talk. */
  async come() {
    for (const it of this.people) it.come();
    await this.until("everybody to be in", () => this.people.every(({ isUp }) => isUp));
    this.#isTalking = true;
    this.#talk = Promise.all([this.#speak(), this.#stumble()]);
  }

  /** Those who are here. */
  get present() {
    return this.people.filter(({ isGone }) => !isGone);
  }

  /** Those of them who are in `room`. */
  in(room) {
    return this.present.filter(({ rooms }) => rooms.includes(room));
  }

  /** A few go for good; never the first one, who can read everything. */
  leaveSome() {
    for (const n of LEAVERS) this.people[n].leave();
  }

  /** Those whose connection is on `node`. */
  on(node) {
    return this.present.filter((it) => it.isUp && it.connection.node === node);
  }

  /** Waits until so many more messages are acknowledged. */
  async progress(count) {
    const enough = this.#answers + count;
    await this.until(`${count} more answers`, () => enough <= this.#answers);
  }

  /** Falls silent, and waits until everything that was said is acknowledged. */
  async hush() {
    this.#isTalking = false;
    await this.#talk;
    const isQuiet = () => this.present.every((it) => it.isUp && it.pending.size === 0);
    await this.until("everything to be acknowledged", isQuiet);
  }

  /** Waits until everybody has heard the last message of each of their rooms. */
  async heardAll() {
    const heads = new Map();
    const raise = (room, seq) => heads.set(room, Math.max(heads.get(room) ?? 0, seq));
    for (const { said } of this.people) {
      for (const { place, answer } of said) if (answer) raise(place, answer.seq);
    }
    const hasAll = (it) => it.rooms.every((room) => (heads.get(room) ?? 0) <= it.last(room));
    await this.until("everybody to hear the last message", () => this.present.every(hasAll));
  }

  /** Waits until `isSo`, looking at it whenever anybody hears anything. */
  async until(what, isSo, patience = LONG_PATIENCE) {
    const wait = {};
    const found = new Promise((resolve) => {
      wait.look = () => isSo() && resolve();
    });
    this.#waits.add(wait);
    wait.look();
    try {
      await within(what, found, patience);
    } finally {
      this.#waits.delete(wait);
    }
  }

  end() {
    this.#isTalking = false;
    for (const it of this.present) it.leave();
  }

  /** How many milliseconds the slowest message needed to somebody who heard it live. */
  get slowest() {
    return this.people.flatMap((it) => it.delays).reduce((a, b) => Math.max(a, b), 0);
  }

  /** What it was like, for whoever reads the output. */
  summary() {
    const delays = this.people.flatMap((it) => it.delays).sort((a, b) => a - b);
    const at = (part) => Math.round(delays[Math.floor(part * (delays.length - 1))] ?? 0);
    const told = new Map();
    for (const it of this.people) {
      for (const [what, n] of it.told) told.set(what, (told.get(what) ?? 0) + n);
    }
    const reasons = [...told].map(([what, n]) => `${n} × ${what}`).join(", ");
    return (
      `${this.#answers} messages, heard ${delays.length} times live, `
      + `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms; ${reasons}`
    );
  }

  #person(n) {
    const name = unique(`p${n}`);
    const [one, two] = [n % ROOMS, (n + 1 + (Math.floor(n / ROOMS) % (ROOMS - 1))) % ROOMS];
    const some = [this.square, this.rooms[one + 1], this.rooms[two + 1]];
    return new Resident({
      name,
      way: OLD_WAYS[n - 1] ?? WAYS[n % WAYS.length],
      route: new Route(this.#nodes, Math.floor(n / WAYS.length), n % 2 === 0),
      token: jwt({ sub: name, exp: epoch(3600) }, { key: SECRET }),
      rooms: n === 0 ? this.rooms : some, // the first one can read everything
      changed: (what) => this.#changed(what),
    });
  }

  async #speak() {
    const begin = performance.now();
    let said = 0;
    for await (const _ of every(TICK_MS)) {
      if (!this.#isTalking) return;
      const due = Math.floor(((performance.now() - begin) * PACE) / 1000);
      for (; said < due; said += 1) this.#sayOne();
    }
  }

  async #stumble() {
    for await (const _ of every(LOSS_MS)) {
      if (!this.#isTalking) return;
      this.#chance.pick(this.present).lose();
    }
  }

  #sayOne() {
    const who = this.#chance.pick(this.people);
    const id = unique("m");
    this.#said += 1;
    const body = { n: this.#said, saidAt: performance.now() };
    const kind = this.#chance.below(10);
    const room = kind < 2 ? this.square : this.#chance.pick(who.rooms.slice(1));
    if (kind < 6) who.say("send message", room, { room, id, msg: body });
    else if (kind < 8) who.say("GroupChat", room, { room, id, data: body });
    else this.#whisper(who, id, body);
  }

  /** Each has one whom they talk to, who came to another node. */
  #whisper(who, id, data) {
    const at = this.people.indexOf(who);
    const to = this.people[(at + PEOPLE / 2) % PEOPLE].name;
    who.say("SingleChat", to, { to, id, data });
  }

  #changed(what) {
    if (what === "answer") this.#answers += 1;
    for (const it of this.#waits) it.look();
  }
}
