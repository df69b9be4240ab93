// Requests that the server answers: messages of clients that are alone in their rooms.

import { setTimeout as sleep } from "node:timers/promises";

import { connectAll } from "../client.mjs";
import { CONNECTING_MAX, closeAll, Meter, SETTLE_MS, spread, TEXT } from "../load.mjs";

const SENDERS = 64;
const ROUND_TRIPS_EACH = 300;
/** Before the measurement: a new Node.js process compiles its code. */
const WARM_UP_EACH = 30;

/** Each client alone in a room, the next message after the last acknowledgement. */
export function roundTrips(context) {
  return measure(context, "GroupChat", TEXT);
}

/** The same with an event that the application answers. */
export async function answers(context) {
  const [cpu, latency] = await measure(context, "add", { one: 1, two: 2 });
  return [cpu, latency, { row: "rate", figure: cpu.rate, note: cpu.note }];
}

async function measure({ server, wire }, event, data) {
  const { port } = server;
  const clients = await connectAll(SENDERS, CONNECTING_MAX, (number) => {
    return { port, wire, name: `n${number}`, auth: { room: `r${number}` } };
  });
  await sleep(SETTLE_MS);
  await Promise.all(clients.map((it) => talk(it, WARM_UP_EACH, event, data)));
  const meter = new Meter(server);
  const talks = clients.map((it) => talk(it, ROUND_TRIPS_EACH, event, data));
  const times = (await Promise.all(talks)).flat();
  const { cpu, seconds, shares } = meter.stop();
  closeAll(clients);
  const rate = Math.round(times.length / seconds);
  return [
    { figure: (cpu / times.length) * 1e6, note: `${rate} per s, ${shares}`, rate },
    { row: "latency", figure: spread(times), note: `p50 and p99 of ${times.length}` },
  ];
}

/** The time of each round trip, in milliseconds. */
async function talk(client, count, event, data) {
  const times = [];
  for (let at = 0; at < count; at += 1) {
    const start = performance.now();
    const [answer] = await client.ask(event, data);
    if (answer.ok !== true) throw new Error(JSON.stringify(answer));
    times.push(performance.now() - start);
  }
  return times;
}
