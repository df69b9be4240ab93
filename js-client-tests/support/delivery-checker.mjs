// Compares what everybody said, was told and heard with what is stored: the promises of the chat, and
// who broke them.

import { isDeepStrictEqual } from "node:util";

import { readDirectHistory, readHistory } from "./history.mjs";
import { wsJson } from "./ws.mjs";

/** As what each request comes out. */
const RECEIVED_AS = {
  "send message": "new message",
  GroupChat: "GroupChat",
  SingleChat: "SingleChat",
};

/** Everything that was wrong, a line each. `crowd` has fallen silent. */
export async function checkDelivery(load, nodes) {
  const problems = load.clients.flatMap((it) => it.violations.map((what) => `${it.name}: ${what}`));
  const logs = await readLogs(load, nodes, problems);
  for (const it of load.clients) {
    checkSent(it, logs, problems);
    checkOrder(it, problems);
    for (const room of it.rooms) checkRoom(it, room, logs.get(room), problems);
  }
  await checkDirects(load, problems);
  return problems;
}

/** The logs of all rooms; every node tells the same one, without a hole. */
async function readLogs(load, nodes, problems) {
  const logs = new Map();
  const [reader] = load.clients;
  for (const node of nodes) {
    const client = await (await wsJson.connect(node, { token: reader.token })).waitForWelcome();
    for (const room of load.rooms) {
      const log = await readHistory(client, room);
      checkSeqs(log, (what) => problems.push(`${room}: ${what}`));
      if (!logs.has(room)) logs.set(room, log);
      else if (!isDeepStrictEqual(logs.get(room), log)) problems.push(`${room}: nodes differ`);
    }
    client.close();
  }
  return logs;
}

/** A log has no hole. */
function checkSeqs(log, report) {
  for (const [at, { seq }] of log.entries()) {
    if (seq !== at + 1) report(`${seq} at ${at + 1}`);
  }
}

/** Acknowledged is stored, once, where it was said to be; and nobody said anything else. */
function checkSent({ name, sent }, logs, problems) {
  for (const [room, log] of logs) {
    const places = new Map(sent.filter((it) => it.place === room).map((it) => [it.id, it]));
    const stored = log.filter((it) => (it.username ?? it.user) === name);
    const ids = new Set(stored.map(({ id }) => id));
    if (ids.size !== stored.length) problems.push(`${name}: a message is twice in ${room}`);
    for (const it of stored) if (!places.has(it.id)) problems.push(`${name} never said ${it.id}`);
    for (const it of places.values()) compare(it, log[(it.answer?.seq ?? 0) - 1], problems);
  }
}

/** What was acknowledged, and the entry at its place. */
function compare({ id, event, data, answer }, entry, problems) {
  if (answer === undefined) return;
  const body = data.msg ?? data.data;
  const isSame =
    entry?.id === id
    && entry.event === RECEIVED_AS[event]
    && entry.at === answer.at
    && isDeepStrictEqual(entry.msg ?? entry.data, body);
  if (!isSame) problems.push(`${id} is not at ${answer.seq}, as was acknowledged at ${answer.at}`);
}

/** What one connection said and nobody refused is stored in the order in which it was said. */
function checkOrder({ name, sent }, problems) {
  const last = new Map();
  for (const { place, tries, answer, answeredOn } of sent) {
    if (tries !== 1 || answer === undefined) continue;
    const before = last.get(place);
    if (before?.answeredOn === answeredOn && answer.seq < before.answer.seq) {
      problems.push(`${name}: ${answer.id} came before ${before.answer.id} in ${place}`);
    }
    last.set(place, { answer, answeredOn });
  }
}

/** Everybody heard the whole log: on each connection the run from `since` on, in order. */
function checkRoom(person, room, log, problems) {
  const { name, sent, connections } = person;
  const own = sent.filter((it) => it.event === "GroupChat" && it.place === room && it.answer);
  const known = new Set(own.map(({ answer }) => answer.seq));
  const report = (what) =>
    problems.push(`${name} (${person.clientType.label}) in ${room}: ${what}`);
  for (const [n, connection] of connections.entries()) {
    let last = connection.since[room];
    for (const message of connection.received[room]) {
      const { seq, isLive, ...entry } = message;
      if (seq <= last) report(`connection ${n} heard ${seq} after ${last}`);
      for (let hole = last + 1; hole < seq; hole += 1) {
        if (!known.has(hole)) report(`connection ${n} heard ${seq} after ${last}, without ${hole}`);
      }
      if (!isDeepStrictEqual({ seq, ...entry }, log[seq - 1])) report(`${seq} is another one`);
      if (isLive && own.some((it) => it.id === message.id && isSentOn(it, connection))) {
        report(`${seq} came back to the connection that had said it`);
      }
      last = seq;
    }
  }
  if (person.isStopped) return;
  const received = connections.flatMap((it) => it.received[room].map(({ seq }) => seq));
  const all = new Set([...known, ...received]);
  for (const { seq, id } of log) if (!all.has(seq)) report(`${seq} (${id}) was never heard`);
}

function isSentOn({ tries, answeredOn }, connection) {
  return tries === 1 && answeredOn === connection;
}

/** Both of a pair have the same log, and heard all of it that came while they were here. */
async function checkDirects(load, problems) {
  const logs = new Map();
  for (const person of load.running) {
    const others = new Set(person.connections.flatMap((it) => [...it.directs.keys()]));
    for (const other of others) {
      const log = await readDirectHistory(person, other);
      const pair = [person.name, other].sort().join(" ");
      if (!logs.has(pair)) logs.set(pair, log);
      else if (!isDeepStrictEqual(logs.get(pair), log)) problems.push(`${pair}: two logs`);
      checkPair(person, other, log, problems);
    }
  }
}

function checkPair(person, other, log, problems) {
  const report = (what) => problems.push(`${person.name} with ${other}: ${what}`);
  checkSeqs(log, report);
  const own = person.sent.filter((it) => it.place === other);
  for (const it of own) compare(it, log[(it.answer?.seq ?? 0) - 1], problems);
  const known = new Set(own.map(({ answer }) => answer.seq));
  for (const [n, connection] of person.connections.entries()) {
    const { since = 0, received = [] } = connection.directs.get(other) ?? {};
    const isNow = connection === person.connection;
    let last = since;
    for (const { seq } of [...received, ...(isNow ? [{ seq: log.length + 1 }] : [])]) {
      if (seq <= last) report(`connection ${n} heard ${seq} after ${last}`);
      for (let hole = last + 1; hole < seq; hole += 1) {
        if (!known.has(hole)) report(`connection ${n} heard ${seq} after ${last}, without ${hole}`);
      }
      last = seq;
    }
  }
}
