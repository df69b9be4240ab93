// Compares what everybody said, was told and heard with what is stored: the promises of the chat, and
// who broke them.

import { isDeepStrictEqual } from "node:util";

import { everything, everythingWith } from "./history.mjs";
import { plain } from "./ws.mjs";

/** As what each request comes out. */
const HEARD_AS = {
  "send message": "new message",
  GroupChat: "GroupChat",
  SingleChat: "SingleChat",
};

/** Everything that was wrong, a line each. `crowd` has fallen silent. */
export async function check(crowd, nodes) {
  const wrong = crowd.people.flatMap((it) => it.complaints.map((what) => `${it.name}: ${what}`));
  const logs = await readLogs(crowd, nodes, wrong);
  for (const it of crowd.people) {
    checkSaid(it, logs, wrong);
    checkOrder(it, wrong);
    for (const room of it.rooms) checkRoom(it, room, logs.get(room), wrong);
  }
  await checkDirects(crowd, wrong);
  return wrong;
}

/** The logs of all rooms; every node tells the same one, without a hole. */
async function readLogs(crowd, nodes, wrong) {
  const logs = new Map();
  const [reader] = crowd.people;
  for (const node of nodes) {
    const client = await (await plain.connect(node, { token: reader.token })).welcomed();
    for (const room of crowd.rooms) {
      const log = await everything(client, room);
      checkSeqs(log, (what) => wrong.push(`${room}: ${what}`));
      if (!logs.has(room)) logs.set(room, log);
      else if (!isDeepStrictEqual(logs.get(room), log)) wrong.push(`${room}: nodes differ`);
    }
    client.close();
  }
  return logs;
}

/** A log has no hole. */
function checkSeqs(log, blame) {
  for (const [at, { seq }] of log.entries()) {
    if (seq !== at + 1) blame(`${seq} at ${at + 1}`);
  }
}

/** Acknowledged is stored, once, where it was said to be; and nobody said anything else. */
function checkSaid({ name, said }, logs, wrong) {
  for (const [room, log] of logs) {
    const places = new Map(said.filter((it) => it.place === room).map((it) => [it.id, it]));
    const stored = log.filter((it) => (it.username ?? it.user) === name);
    const ids = new Set(stored.map(({ id }) => id));
    if (ids.size !== stored.length) wrong.push(`${name}: a message is twice in ${room}`);
    for (const it of stored) if (!places.has(it.id)) wrong.push(`${name} never said ${it.id}`);
    for (const it of places.values()) compare(it, log[(it.answer?.seq ?? 0) - 1], wrong);
  }
}

/** What was acknowledged, and the entry at its place. */
function compare({ id, event, data, answer }, entry, wrong) {
  if (answer === undefined) return;
  const body = data.msg ?? data.data;
  const isSame =
    entry?.id === id
    && entry.event === HEARD_AS[event]
    && entry.at === answer.at
    && isDeepStrictEqual(entry.msg ?? entry.data, body);
  if (!isSame) wrong.push(`${id} is not at ${answer.seq}, as was acknowledged at ${answer.at}`);
}

/** What one connection said and nobody refused is stored in the order in which it was said. */
function checkOrder({ name, said }, wrong) {
  const last = new Map();
  for (const { place, tries, answer, answeredOn } of said) {
    if (tries !== 1 || answer === undefined) continue;
    const before = last.get(place);
    if (before?.answeredOn === answeredOn && answer.seq < before.answer.seq) {
      wrong.push(`${name}: ${answer.id} came before ${before.answer.id} in ${place}`);
    }
    last.set(place, { answer, answeredOn });
  }
}

/** Everybody heard the whole log: on each connection the run from `since` on, in order. */
function checkRoom(person, room, log, wrong) {
  const { name, said, connections } = person;
  const own = said.filter((it) => it.event === "GroupChat" && it.place === room && it.answer);
  const known = new Set(own.map(({ answer }) => answer.seq));
  const blame = (what) => wrong.push(`${name} (${person.way.label}) in ${room}: ${what}`);
  for (const [n, connection] of connections.entries()) {
    let last = connection.since[room];
    for (const message of connection.heard[room]) {
      const { seq, isLive, ...entry } = message;
      if (seq <= last) blame(`connection ${n} heard ${seq} after ${last}`);
      for (let hole = last + 1; hole < seq; hole += 1) {
        if (!known.has(hole)) blame(`connection ${n} heard ${seq} after ${last}, without ${hole}`);
      }
      if (!isDeepStrictEqual({ seq, ...entry }, log[seq - 1])) blame(`${seq} is another one`);
      if (isLive && own.some((it) => it.id === message.id && isSaidOn(it, connection))) {
        blame(`${seq} came back to the connection that had said it`);
      }
      last = seq;
    }
  }
  if (person.isGone) return;
  const heard = connections.flatMap((it) => it.heard[room].map(({ seq }) => seq));
  const all = new Set([...known, ...heard]);
  for (const { seq, id } of log) if (!all.has(seq)) blame(`${seq} (${id}) was never heard`);
}

function isSaidOn({ tries, answeredOn }, connection) {
  return tries === 1 && answeredOn === connection;
}

/** Both of a pair have the same log, and heard all of it that came while they were here. */
async function checkDirects(crowd, wrong) {
  const logs = new Map();
  for (const person of crowd.present) {
    const others = new Set(person.connections.flatMap((it) => [...it.directs.keys()]));
    for (const other of others) {
      const log = await everythingWith(person, other);
      const pair = [person.name, other].sort().join(" ");
      if (!logs.has(pair)) logs.set(pair, log);
      else if (!isDeepStrictEqual(logs.get(pair), log)) wrong.push(`${pair}: two logs`);
      checkPair(person, other, log, wrong);
    }
  }
}

function checkPair(person, other, log, wrong) {
  const blame = (what) => wrong.push(`${person.name} with ${other}: ${what}`);
  checkSeqs(log, blame);
  const own = person.said.filter((it) => it.place === other);
  for (const it of own) compare(it, log[(it.answer?.seq ?? 0) - 1], wrong);
  const known = new Set(own.map(({ answer }) => answer.seq));
  for (const [n, connection] of person.connections.entries()) {
    const { since = 0, heard = [] } = connection.directs.get(other) ?? {};
    const isNow = connection === person.connection;
    let last = since;
    for (const { seq } of [...heard, ...(isNow ? [{ seq: log.length + 1 }] : [])]) {
      if (seq <= last) blame(`connection ${n} heard ${seq} after ${last}`);
      for (let hole = last + 1; hole < seq; hole += 1) {
        if (!known.has(hole)) blame(`connection ${n} heard ${seq} after ${last}, without ${hole}`);
      }
      last = seq;
    }
  }
}
