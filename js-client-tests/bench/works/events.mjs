// Events of the application that are not stored.

import { setTimeout as sleep } from "node:timers/promises";

import { connectAll, Tally } from "../client.mjs";
import { CONNECTING_MAX, closeAll, complete, Meter, pace, SETTLE_MS } from "../load.mjs";

const RECEIVERS = 500;
const EVENTS_PER_SECOND = 100;
const SECONDS = 10;

/** One sender, 500 others in the room. Its event has a number, which the receivers check. */
export async function eventsToRoom({ server, wire, ordered }) {
  const { port } = server;
  const tally = new Tally();
  const make = (number) => ({ port, wire, name: `n${number}`, tally });
  const clients = await connectAll(RECEIVERS + 1, CONNECTING_MAX, make);
  const [sender, ...receivers] = clients;
  await sleep(SETTLE_MS);
  const meter = new Meter(server);
  const total = EVENTS_PER_SECOND * SECONDS;
  await pace(total, EVENTS_PER_SECOND, (number) => {
    sender.tell("new move", { x: 10, y: 20, seq: number + 1 });
  });
  await tally.reach(total * RECEIVERS);
  const { cpu, shares } = meter.stop();
  complete({ tally, clients: receivers, ordered }, total);
  closeAll(clients);
  const deliveries = total * RECEIVERS;
  return { figure: (cpu / deliveries) * 1e6, note: `${deliveries} deliveries, ${shares}` };
}
