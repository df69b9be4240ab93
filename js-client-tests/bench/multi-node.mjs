// The measurements of several nodes: rooms whose users are spread over all nodes.
//
// The users, the rooms and the messages are the same for any number of nodes.

import { setTimeout as sleep } from "node:timers/promises";

import { connectAll, Tally } from "./client.mjs";
import {
  CONNECTING_MAX,
  FLOOD_SECONDS,
  MESSAGES_PER_SECOND,
  SETTLE_MS,
  TEXT,
  WINDOW,
  WINDOWS_BEHIND_MAX,
} from "./load.mjs";

const WIRE = "socketio";

/** Each room has a sender, each on the next node. */
const ROOMS = 3;
/** Receivers of each room, equally many on each node. */
const RECEIVERS = 100;

const PACED_SECONDS = 8;

/** All figures, each under `name`. */
export async function measureNodes(nodes, name) {
  const rooms = await Promise.all(Array.from({ length: ROOMS }, (_, at) => fill(nodes, at)));
  await sleep(SETTLE_MS);
  const findings = [...(await paced(nodes, rooms)), ...(await flood(nodes, rooms))];
  const wrong = rooms.map((room) => room.wrong()).join("");
  for (const room of rooms) room.leave();
  if (wrong !== "") throw new Error(wrong);
  return findings.map(({ what, ...others }) => ({ row: `${name}: ${what}`, ...others }));
}

/** Each sender at a steady rate: processor time per delivery, and latency. */
async function paced(nodes, rooms) {
  const before = readings(nodes);
  const pause = 1000 / MESSAGES_PER_SECOND;
  await Promise.all(
    rooms.map(async (room, at) => {
      await sleep((pause / ROOMS) * at);
      await room.postAtRate(MESSAGES_PER_SECOND * PACED_SECONDS, pause);
    }),
  );
  const { cpu, engines } = since(before, nodes);
  const deliveries = rooms.reduce((all, room) => all + room.tally.messages, 0);
  const micros = (seconds) => (seconds / deliveries) * 1e6;
  const apart = engines.map(([name, seconds]) => `${name} ${micros(seconds).toFixed(2)}`);
  const all = engines.reduce((sum, [, seconds]) => sum + seconds, cpu);
  const [here, away] = ["here", "away"].map((where) => sorted(rooms, where));
  const across = away.length === 0 ? here : away;
  const note = `on the sender's node ${percentile(here, 0.5)} and ${percentile(here, 0.99)}`;
  const included = { what: "delivery, engines included", unit: "µs CPU", figure: micros(all) };
  return [
    { what: "delivery", unit: "µs CPU", figure: micros(cpu), note: `${deliveries} deliveries` },
    ...(engines.length === 0 ? [] : [{ ...included, note: apart.join(", ") }]),
    { what: "latency, p50", unit: "ms", figure: percentile(across, 0.5), note },
    { what: "latency, p99", unit: "ms", figure: percentile(across, 0.99), note },
  ];
}

/** Each sender in windows, the next one after the acknowledgements of the last one. */
async function flood(nodes, rooms) {
  const received = () => rooms.reduce((all, { tally }) => all + tally.messages, 0);
  const [before, first, start] = [readings(nodes), received(), performance.now()];
  const end = start + FLOOD_SECONDS * 1000;
  await Promise.all(rooms.map((room) => room.postUntil(end)));
  const seconds = (performance.now() - start) / 1000;
  const deliveries = received() - first;
  const { cpu, engines } = since(before, nodes);
  const busy = [["nodes", cpu], ...engines].map(([name, it]) => {
    return `${name} ${Math.round((it / seconds) * 100)} %`;
  });
  const [rate, each] = [deliveries / seconds, (cpu / deliveries) * 1e6];
  const note = `of a core ${busy.join(", ")}`;
  return [
    { what: "deliveries, as fast as can be", unit: "per s", figure: rate, note },
    { what: "each of these", unit: "µs CPU", figure: each, note: `${deliveries} deliveries` },
  ];
}

async function fill({ ports }, at) {
  const tally = new LatencyTally();
  const clients = await connectAll(RECEIVERS + 1, CONNECTING_MAX, (number) => {
    const port = ports[(at + number) % ports.length];
    return { port, wire: WIRE, name: `n${at}-${number}`, auth: { room: `r${at}` }, tally };
  });
  clients.forEach((client, number) => {
    if (number % ports.length !== 0) tally.away.add(client);
  });
  return new Room(tally, clients);
}

/** The clients of a room, of which the first one sends. All receive everything, the sender too. */
class Room {
  #clients;
  #sent = 0;

  constructor(tally, clients) {
    this.tally = tally;
    this.#clients = clients;
  }

  async postAtRate(count, pause) {
    const answers = [];
    for (let at = 0; at < count; at += 1) {
      const next = sleep(pause);
      answers.push(this.#post(1));
      await next;
    }
    await Promise.all(answers);
    await this.#waitUntilReceived(this.#sent);
    this.tally.stop();
  }

  async postUntil(end) {
    while (performance.now() < end) {
      await this.#post(WINDOW);
      await this.#waitUntilReceived(this.#sent - WINDOW * WINDOWS_BEHIND_MAX);
    }
    await this.#waitUntilReceived(this.#sent);
  }

  /** A description of lost or disordered messages and lost connections, or an empty text. */
  wrong() {
    const { disorder, lost } = this.tally;
    const behind = this.#clients.filter((client) => client.last !== this.#sent).length;
    if (behind + disorder + lost === 0) return "";
    return `${behind} are behind, ${disorder} messages out of order, ${lost} were cut off. `;
  }

  leave() {
    for (const client of this.#clients) client.close();
  }

  async #post(count) {
    for (let n = 0; n < count; n += 1) this.tally.sent();
    this.#sent += count;
    const [sender] = this.#clients;
    const answers = await Promise.all(sender.askAll("send message", Array(count).fill(TEXT)));
    const refusal = answers.find(([answer]) => answer.ok !== true);
    if (refusal) throw new Error(JSON.stringify(refusal));
  }

  #waitUntilReceived(messages) {
    return this.tally.reach(messages * this.#clients.length);
  }
}

/** Also measures the latency in milliseconds, until it is stopped. */
class LatencyTally extends Tally {
  /** Clients on other nodes than the sender. */
  away = new Set();
  times = { here: [], away: [] };
  #sentAt = [];
  #runs = true;

  sent() {
    if (this.#runs) this.#sentAt.push(performance.now());
  }

  add(seq, client) {
    super.add();
    if (!this.#runs) return;
    const { here, away } = this.times;
    (this.away.has(client) ? away : here).push(performance.now() - this.#sentAt[seq - 1]);
  }

  stop() {
    this.#runs = false;
  }
}

function readings(nodes) {
  return { cpu: nodes.cpu(), engines: nodes.enginesCpu() };
}

function since(before, nodes) {
  const { cpu, engines } = readings(nodes);
  return {
    cpu: cpu - before.cpu,
    engines: engines.map(([name, it], at) => [name, it - before.engines[at][1]]),
  };
}

function sorted(rooms, where) {
  return Float64Array.from(rooms.flatMap(({ tally }) => tally.times[where])).sort();
}

/** In whole microseconds, the resolution of the clock. */
function percentile(times, part) {
  return Math.round(times[Math.floor(times.length * part)] * 1000) / 1000;
}
