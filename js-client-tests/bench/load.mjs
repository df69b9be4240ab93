// The load that the measurements of one node and of several nodes share.

import { setTimeout as sleep } from "node:timers/promises";

const TEXT_BYTES = 64;
export const TEXT = "x".repeat(TEXT_BYTES);

/** Clients that connect at the same time, where connecting is not measured. */
export const CONNECTING_MAX = 50;

/** From the last connect until all presence events were delivered. */
export const SETTLE_MS = 3000;

/** Per sender. */
export const MESSAGES_PER_SECOND = 20;

/** Messages that a sender sends before the first acknowledgement is awaited. */
export const WINDOW = 50;

/** Windows that all receivers of a room together may be behind. */
export const WINDOWS_BEHIND_MAX = 4;

export const FLOOD_SECONDS = 5;

/** How often messages that are due are sent. */
const TICK_MS = 5;

/** Starts the time in a message. No name of a user or a room has it. */
const MARK = "@";

/** A clock in milliseconds that all processes and threads of the machine share. */
export function now() {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** A text of the usual length that says when it was made. */
export function stampedText() {
  return `${MARK}${now().toFixed(3)}`.padEnd(TEXT_BYTES, "x");
}

/** The time in a frame with such a text. */
export function timeIn(bytes, start, end) {
  const text = bytes.latin1Slice(start, end);
  return Number.parseFloat(text.slice(text.indexOf(MARK) + 1));
}

/**
 * Sends messages at a steady rate, from each sender in turn, whether or not the server keeps up.
 * Returns their number when all are sent, and a promise for the acknowledgements.
 */
export async function offer(senders, perSecond, seconds) {
  const [total, answers] = [Math.round(perSecond * seconds), []];
  await pace(total, perSecond, (number) => {
    const sender = senders[number % senders.length];
    answers.push(sender.ask("send message", stampedText()));
  });
  return { sent: total, acknowledged: acceptAll(answers) };
}

/** Calls `send` with the numbers below `total`, so many a second. */
export async function pace(total, perSecond, send) {
  const start = performance.now();
  for (let sent = 0; sent < total; await sleep(TICK_MS)) {
    const due = Math.ceil(((performance.now() - start) / 1000) * perSecond);
    for (; sent < Math.min(due, total); sent += 1) send(sent);
  }
}

/** Resolves when all messages are stored. */
async function acceptAll(answers) {
  const refused = (await Promise.all(answers)).find(([answer]) => answer.ok !== true);
  if (refused) throw new Error(JSON.stringify(refused));
}

/** What the server and this process did between two moments. */
export class Meter {
  #server;
  #cpu;
  #load = performance.eventLoopUtilization();
  #start = performance.now();

  constructor(server) {
    this.#server = server;
    this.#cpu = server.cpu();
  }

  /** Seconds of processor time of the server, seconds of time, and how busy the generator was. */
  stop() {
    const cpu = this.#server.cpu() - this.#cpu;
    const seconds = (performance.now() - this.#start) / 1000;
    const busy = performance.eventLoopUtilization(this.#load).utilization;
    const shares = `server ${percent(cpu / seconds)}, generator ${percent(busy)} of a core`;
    return { cpu, seconds, busy, shares };
  }
}

function percent(share) {
  return `${Math.round(share * 100)} %`;
}

/** The median and the 99th percentile. */
export function spread(times) {
  const sorted = Float64Array.from(times).sort();
  return [0.5, 0.99].map((part) => sorted[Math.floor(sorted.length * part)]);
}

/** All clients have received `count` messages each, in order, and are still connected. */
export function complete({ tally, clients, ordered = true }, count) {
  const behind = clients.filter((client) => client.last !== count).length;
  const { disorder, lost } = tally;
  const wrong = ordered ? behind + disorder : 0;
  if (wrong + lost === 0 && tally.messages === count * clients.length) return;
  const all = `${tally.messages} of ${count * clients.length} messages were received`;
  throw new Error(`${all}, ${disorder} out of order, ${lost} clients were cut off`);
}

export function closeAll(clients) {
  for (const client of clients) client.close();
}
