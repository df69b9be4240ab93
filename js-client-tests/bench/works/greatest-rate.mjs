// The greatest rate of deliveries that a server keeps up with.
//
// A rate is offered for three seconds by 50 of the 500 members of a new room, whether or not the
// server keeps up. It passes if every member has received every message 0.3 s after these seconds,
// and no client was cut off. The rate doubles until it fails, or is halved until it passes; three
// more trials narrow it down to a tenth. What is delivered are messages, which are stored, or events
// of the application, which are not, and which their senders do not receive.

import { setTimeout as sleep } from "node:timers/promises";

import { connectAll, Tally } from "../client.mjs";
import { CONNECTING_MAX, closeAll, complete, Meter, offer, pace } from "../load.mjs";

const MEMBERS = 500;
const SENDERS = 50;
const SECONDS = 3;
const LATE_MS_MAX = 300;

const FIRST_RATE = 100_000;
const LOWEST_RATE = 10_000;
const HIGHEST_RATE = 6_400_000;
const BISECTIONS = 3;

/** From the last connect of a room until its presence events were delivered. */
const SETTLE_MS = 1500;
/** A failed trial may leave work behind, which must not count for the next one. */
const RECOVER_MS = 2000;

/** Of messages, in millions of deliveries a second. */
export function greatestRate(context) {
  return search(context, {
    receivers: MEMBERS,
    tally: () => new Tally(),
    offer,
    check: (tally, clients, sent) => complete({ tally, clients, ordered: context.ordered }, sent),
  });
}

/** The same of events that pass by. */
export function greatestRateOfEvents(context) {
  return search(context, {
    receivers: MEMBERS - 1,
    tally: () => new EventTally(),
    offer: offerEvents,
    check: (tally) => {
      const { disordered } = tally;
      if (disordered > 0) throw new Error(`${disordered} events came twice or out of order`);
    },
  });
}

/** Events number each sender's own in steps of the number of senders. */
class EventTally extends Tally {
  disordered = 0;

  add(number, client) {
    const sender = number % SENDERS;
    client.lasts ??= Float64Array.from({ length: SENDERS }, (_, at) => at);
    if (number !== client.lasts[sender] + SENDERS) this.disordered += 1;
    client.lasts[sender] = number;
    super.add();
  }
}

/** Like `offer`. Events have no acknowledgement. */
async function offerEvents(senders, perSecond, seconds) {
  const sent = Math.round(perSecond * seconds);
  await pace(sent, perSecond, (number) => {
    const data = { x: 10, y: 20, seq: number + SENDERS };
    senders[number % SENDERS].tell("new mark", data);
  });
  return { sent, acknowledged: Promise.resolve() };
}

async function search(context, kind) {
  const trials = [];
  const attempt = async (rate) => {
    const trial = await offerToNewRoom(context, kind, trials.length, rate);
    trials.push(trial);
    if (!trial.passed) await sleep(RECOVER_MS);
    return trial.passed;
  };
  let [best, failed] = [undefined, FIRST_RATE];
  while (failed <= HIGHEST_RATE && (await attempt(failed))) [best, failed] = [failed, failed * 2];
  while (best === undefined) {
    const half = failed / 2;
    if (half < LOWEST_RATE) throw new Error(`fails at ${failed} a second: ${trials.at(-1).note}`);
    if (await attempt(half)) best = half;
    else failed = half;
  }
  for (let at = 0; at < BISECTIONS; at += 1) {
    const between = Math.sqrt(best * failed);
    if (await attempt(between)) best = between;
    else failed = between;
  }
  const notes = trials.map(({ rate, note }) => `${(rate / 1e6).toFixed(2)}: ${note}`);
  return { figure: best / 1e6, note: notes.join("; ") };
}

async function offerToNewRoom({ server, wire }, kind, number, rate) {
  const tally = kind.tally();
  const clients = await connectAll(MEMBERS, CONNECTING_MAX, (at) => {
    const auth = { room: `trial ${number}` };
    return { port: server.port, wire, name: `t${number}-${at}`, auth, tally };
  });
  await sleep(SETTLE_MS);
  const meter = new Meter(server);
  const start = performance.now();
  const senders = clients.slice(0, SENDERS);
  const { sent, acknowledged } = await kind.offer(senders, rate / kind.receivers, SECONDS);
  acknowledged.catch(() => {}); // awaited below, but perhaps not
  const late = start + SECONDS * 1000 + LATE_MS_MAX;
  const wanted = sent * kind.receivers;
  const received = tally.reach(wanted);
  const inTime = await Promise.race([
    Promise.all([acknowledged, received]).then(() => true),
    sleep(Math.max(0, late - performance.now())).then(() => false),
  ]);
  const { cpu, shares } = meter.stop();
  const share = Math.round((100 * tally.messages) / wanted);
  const each = ((cpu / tally.messages) * 1e6).toFixed(2);
  const note = `${share} % in time, ${each} µs CPU each, ${shares}`;
  const passed = inTime && tally.lost === 0;
  if (passed) kind.check(tally, clients, sent);
  closeAll(clients);
  return { rate, passed, note };
}
