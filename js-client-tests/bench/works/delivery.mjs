// Processor time and latency of deliveries at a steady rate.

import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { connect, connectAll, Tally } from "../client.mjs";
import {
  CONNECTING_MAX,
  closeAll,
  complete,
  MESSAGES_PER_SECOND,
  Meter,
  offer,
  SETTLE_MS,
  spread,
} from "../load.mjs";
import { Observers } from "../observers.mjs";

const SECONDS = 10;

/** Clients that measure the latency, besides the receivers. */
const OBSERVERS = 10;

const RECEIVERS = 500;
const POLLING_RECEIVERS = 200;

const SMALL_ROOMS = 50;
const SMALL_ROOM_MEMBERS = 20;

const BUSY_SENDERS = 50;
const BUSY_DELIVERIES_PER_SECOND = 150_000;

const ATTACHMENT_RECEIVERS = 200;
const ATTACHMENT_BYTES = 1 << 16;
const ATTACHMENTS = 50;
const ATTACHMENT_PAUSE_MS = 100;

const LARGE_ROOM_RECEIVERS = 10_000;
const LARGE_ROOM_CONNECTING_MAX = 200;
const LARGE_ROOM_MESSAGES_PER_SECOND = 2;
const OTHER_ROOM = "other";
const OTHER_ROOM_MEMBERS = 20;

/** One sender, 500 receivers in a room. */
export async function toRoom(context) {
  const room = await fill(context, RECEIVERS, 1);
  return measure(context, room, MESSAGES_PER_SECOND);
}

/** The same over polling: the sender has a WebSocket, because requests wait for pending polls. */
export async function toPollingClients(context) {
  const room = await fill({ ...context, wire: "polling" }, POLLING_RECEIVERS, 0);
  const { port } = context.server;
  const sender = await connect({ port, wire: context.wire, name: "sender", tally: room.tally });
  room.clients.push(sender);
  room.senders = [sender];
  const [delivery] = await measure(context, room, MESSAGES_PER_SECOND);
  return delivery;
}

/** 1,000 clients in 50 rooms, each with a message a second. */
export async function toSmallRooms({ server, wire, ordered }) {
  const { port } = server;
  const tally = new Tally();
  const count = SMALL_ROOMS * SMALL_ROOM_MEMBERS;
  const clients = await connectAll(count, CONNECTING_MAX, (number) => {
    const auth = { room: `r${number % SMALL_ROOMS}` };
    return { port, wire, name: `n${number}`, auth, tally };
  });
  const rooms = Array.from({ length: OBSERVERS }, (_, number) => `r${number}`);
  const observers = await Observers.connect({ port, wire, rooms });
  const room = { tally, clients, senders: clients, observers, ordered, share: SMALL_ROOM_MEMBERS };
  return measure({ server }, room, count, OBSERVERS * SMALL_ROOM_MEMBERS * SECONDS);
}

/** 50 of the 500 receivers send, 150,000 deliveries a second together. */
export async function fromManySenders(context) {
  const room = await fill(context, RECEIVERS - OBSERVERS, BUSY_SENDERS);
  return measure(context, room, BUSY_DELIVERIES_PER_SECOND / RECEIVERS);
}

/** One sender, 200 receivers, 10 attachments a second. */
export async function attachments(context) {
  const { tally, clients, senders } = await fill(context, ATTACHMENT_RECEIVERS, 1, 0);
  await sleep(SETTLE_MS);
  const bytes = randomBytes(ATTACHMENT_BYTES);
  const meter = new Meter(context.server);
  const answers = [];
  for (let at = 0; at < ATTACHMENTS; at += 1) {
    answers.push(senders[0].askBytes("send message", bytes));
    await sleep(ATTACHMENT_PAUSE_MS);
  }
  await Promise.all(answers);
  const deliveries = ATTACHMENTS * clients.length;
  await tally.reach(deliveries);
  const { cpu, shares } = meter.stop();
  complete({ tally, clients, ordered: context.ordered }, ATTACHMENTS);
  closeAll(clients);
  const inFrames = tally.attached / ATTACHMENT_BYTES;
  if (context.wire !== "ws" && inFrames < deliveries - clients.length) {
    throw new Error(`${inFrames} of ${deliveries} attachments were received`);
  }
  return { figure: (cpu / deliveries) * 1e6, note: shares };
}

/** A room of 10,000 receivers, and the latency in another room with and without its messages. */
export async function toLargeRoom(context) {
  const { port } = context.server;
  const rooms = Array(OTHER_ROOM_MEMBERS).fill(OTHER_ROOM);
  const other = await Observers.connect({ port, wire: context.wire, rooms });
  const room = await fill(context, LARGE_ROOM_RECEIVERS, 1, 0, LARGE_ROOM_CONNECTING_MAX);
  const otherDeliveries = MESSAGES_PER_SECOND * SECONDS * OTHER_ROOM_MEMBERS;
  await other.converse(MESSAGES_PER_SECOND, SECONDS);
  const quiet = spread(await other.latencies(otherDeliveries));

  const meter = new Meter(context.server);
  const conversation = other.converse(MESSAGES_PER_SECOND, SECONDS);
  const offered = await offer(room.senders, LARGE_ROOM_MESSAGES_PER_SECOND, SECONDS);
  await Promise.all([conversation, offered.acknowledged]);
  const deliveries = offered.sent * room.clients.length;
  await room.tally.reach(deliveries);
  const { cpu, shares } = meter.stop();
  const loud = spread(await other.latencies(otherDeliveries));
  await other.close();
  complete({ ...room, ordered: context.ordered }, offered.sent);
  closeAll(room.clients);
  const figure = (cpu / (deliveries + otherDeliveries)) * 1e6;
  return [
    { figure, note: shares },
    { row: "latency quiet", figure: quiet, note: "p50 and p99 in the other room" },
    { row: "latency", figure: loud, note: "p50 and p99 in the other room" },
    { row: "relative", figure: loud[1] / quiet[1], note: "p99 in the other room" },
  ];
}

/** Receivers in the lobby, of which the first ones send, and observers, settled. */
async function fill(context, receivers, senders, watching = OBSERVERS, step = CONNECTING_MAX) {
  const { server, wire, ordered } = context;
  const { port } = server;
  const tally = new Tally();
  const make = (number) => ({ port, wire, name: `n${number}`, tally });
  const clients = await connectAll(receivers, step, make);
  const rooms = Array(wire === "polling" ? 0 : watching).fill(undefined);
  const observers = rooms.length > 0 ? await Observers.connect({ port, wire, rooms }) : undefined;
  return { tally, clients, senders: clients.slice(0, senders), observers, ordered };
}

/** `room.share` is the number of receivers of a message where there are several rooms. */
async function measure({ server }, room, perSecond, observed) {
  const { tally, clients, senders, observers, share = clients.length } = room;
  await sleep(SETTLE_MS);
  const meter = new Meter(server);
  const { sent, acknowledged } = await offer(senders, perSecond, SECONDS);
  await acknowledged;
  await tally.reach(sent * share);
  const measured = observed ?? sent * OBSERVERS;
  const times = observers ? await observers.latencies(measured) : [];
  const { cpu, shares } = meter.stop();
  await observers?.close();
  complete(room, (sent * share) / clients.length);
  closeAll(clients);
  const deliveries = sent * share + times.length;
  return [
    { figure: (cpu / deliveries) * 1e6, note: `${deliveries} deliveries, ${shares}` },
    { row: "latency", figure: spread(times), note: `p50 and p99 of ${times.length}` },
  ];
}
