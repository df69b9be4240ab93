// The greatest rate of deliveries that a server keeps up with.
//
// A rate is offered for three seconds by 50 of the 500 members of a new room, whether or not the
// server keeps up. It passes if every member has received every message 0.3 s after these seconds,
// and no client was cut off. The rate doubles until it fails, or is halved until it passes; three
// more trials narrow it down to a tenth.

import { setTimeout as sleep } from "node:timers/promises";

import { connectAll, Tally } from "../client.mjs";
import { CONNECTING_MAX, closeAll, complete, Meter, offer } from "../load.mjs";

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

/** In millions of deliveries a second. */
export async function greatestRate(context) {
  const trials = [];
  const attempt = async (rate) => {
    const trial = await offerToNewRoom(context, trials.length, rate);
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

async function offerToNewRoom({ server, wire, ordered }, number, rate) {
  const tally = new Tally();
  const clients = await connectAll(MEMBERS, CONNECTING_MAX, (at) => {
    const auth = { room: `trial ${number}` };
    return { port: server.port, wire, name: `t${number}-${at}`, auth, tally };
  });
  await sleep(SETTLE_MS);
  const meter = new Meter(server);
  const start = performance.now();
  const { sent, acknowledged } = await offer(clients.slice(0, SENDERS), rate / MEMBERS, SECONDS);
  acknowledged.catch(() => {}); // awaited below, but perhaps not
  const late = start + SECONDS * 1000 + LATE_MS_MAX;
  const received = tally.reach(sent * MEMBERS);
  const inTime = await Promise.race([
    Promise.all([acknowledged, received]).then(() => true),
    sleep(Math.max(0, late - performance.now())).then(() => false),
  ]);
  const { cpu, shares } = meter.stop();
  const share = Math.round((100 * tally.messages) / (sent * MEMBERS));
  const each = ((cpu / tally.messages) * 1e6).toFixed(2);
  const note = `${share} % in time, ${each} µs CPU each, ${shares}`;
  if (inTime && tally.lost === 0) complete({ tally, clients, ordered }, sent);
  closeAll(clients);
  return { rate, passed: inTime && tally.lost === 0, note };
}
