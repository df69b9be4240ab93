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

/** The same while a webhook is told of the messages, until it has been told of all. */
export function roundTripsWithWebhook(context) {
  const all = SENDERS * (WARM_UP_EACH + ROUND_TRIPS_EACH);
  return measure(context, "GroupChat", TEXT, async () => {
    const response = await fetch(`http://127.0.0.1:${context.server.called.port}/${all}`);
    await response.text();
  });
}

/** The same with an event that the application answers. */
export async function answers(context) {
  const [cpu, latency] = await measure(context, "add", { one: 1, two: 2 });
  return [cpu, latency, { row: "rate", figure: cpu.rate, note: cpu.note }];
}

/** With `finish` the processor time includes what the server does until that is over. */
async function measure({ server, wire }, event, data, finish) {
  const { port } = server;
  const clients = await connectAll(SENDERS, CONNECTING_MAX, (number) => {
    return { port, wire, name: `n${number}`, auth: { room: `r${number}` } };
  });
  await sleep(SETTLE_MS);
  await Promise.all(clients.map((it) => talk(it, WARM_UP_EACH, event, data)));
  const meter = new Meter(server);
  const talks = clients.map((it) => talk(it, ROUND_TRIPS_EACH, event, data));
  const times = (await Promise.all(talks)).flat();
  const answered = meter.stop();
  await finish?.();
  const { cpu, seconds, shares } = finish ? meter.stop() : answered;
  closeAll(clients);
  const rate = Math.round(times.length / answered.seconds);
  const findings = [
    { figure: (cpu / times.length) * 1e6, note: `${rate} per s, ${shares}`, rate },
    { row: "latency", figure: spread(times), note: `p50 and p99 of ${times.length}` },
  ];
  const note = `round trips: ${answered.seconds.toFixed(2)} s`;
  if (finish) findings.push({ row: "time", figure: seconds, note });
  return findings;
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
