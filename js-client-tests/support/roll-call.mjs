// Who is here, by each node's word, by each client's ears, and in truth.

import { isDeepStrictEqual } from "node:util";

import { again } from "./again.mjs";
import { plain } from "./ws.mjs";

/** How long a node that died may be believed to live: its lease, and the grace of its users. */
const TRUTH_MS_MAX = 25_000;

/** The grace of somebody who lost their connection, less what a message needs. */
const GRACE_MS = 4500;

/** Waits until every node and everybody here knows who is here. */
export async function truth(crowd, nodes) {
  for (const node of nodes) await nodeKnows(crowd, node);
  let wrong = [];
  const everybodyKnows = () => {
    wrong = crowd.present.flatMap((it) => errors(it, crowd));
    return wrong.length === 0;
  };
  try {
    await crowd.until("everybody to know who is here", everybodyKnows, TRUTH_MS_MAX);
  } catch {
    return wrong;
  }
  return [];
}

/** Asks a node again and again who is here, until it is right. */
async function nodeKnows(crowd, node) {
  const [reader] = crowd.people;
  const client = await (await plain.connect(node, { token: reader.token })).welcomed();
  let wrong = [];
  const isRight = async () => {
    wrong = await errorsOf(client, crowd);
    return wrong.length === 0;
  };
  try {
    await again("a node to know who is here", isRight, TRUTH_MS_MAX);
  } catch {
    throw new Error(`node ${node.port} does not know who is here: ${wrong.join("; ")}`);
  } finally {
    client.close();
  }
}

async function errorsOf(client, crowd) {
  const wrong = [];
  for (const room of crowd.rooms) {
    const { users, count } = await client.ask("GroupList", { room });
    const here = crowd.in(room);
    if (!same(users, here)) wrong.push(`${room}: ${difference(users, here)}`);
    if (count !== here.length) wrong.push(`${room}: counts ${count} of ${here.length}`);
  }
  const [, ...others] = crowd.people;
  const { users } = await client.ask("presence", { users: others.map(({ name }) => name) });
  const isHere = new Map(crowd.people.map((it) => [it.name, !it.isGone]));
  for (const { user, online, devices } of users) {
    const is = isHere.get(user);
    if (online !== is || devices !== (is ? 1 : 0)) {
      wrong.push(`${user} is ${online ? "online" : "away"} with ${devices} devices`);
    }
  }
  return wrong;
}

/** What somebody here believes, from what they were told on their connection of now. */
function errors(person, crowd) {
  const { list, presence } = person.connection;
  const wrong = [];
  const square = crowd.in(crowd.square);
  if (!same(list ?? [], square))
    wrong.push(`${person.name} lists ${difference(list ?? [], square)}`);
  const last = new Map(presence.map((it) => [`${it.room} ${it.user}`, it]));
  const gone = new Set(crowd.people.filter((it) => it.isGone).map(({ name }) => name));
  for (const { event, room, user } of last.values()) {
    if ((event === "user left") !== gone.has(user)) {
      wrong.push(`${person.name} heard last in ${room}: ${event} ${user}`);
    }
  }
  return wrong;
}

/** Everybody heard of everybody's going once, and of nobody's who stayed, unless some `flap`. */
export function checkGoings(crowd, { flap = false } = {}) {
  const wrong = [];
  for (const watcher of crowd.people) {
    for (const [n, connection] of watcher.connections.entries()) {
      for (const [key, events] of byUserAndRoom(connection.presence)) {
        const repeat = events.some((it, at) => it === events[at - 1]);
        if (repeat) wrong.push(`${watcher.name} (${n}) heard of ${key}: ${events}`);
      }
    }
    if (!watcher.isGone) wrong.push(...goingsMissed(watcher, crowd));
    if (!flap) wrong.push(...goingsInvented(watcher, crowd));
  }
  return wrong;
}

/** Whose going somebody did not hear of who was here all the time. */
function goingsMissed({ name, rooms, connection }, crowd) {
  const heard = byUserAndRoom(connection.presence);
  const gone = crowd.people.filter((it) => it.isGone && connection.from < it.leftAt);
  const expected = gone.flatMap((it) => {
    return it.rooms.filter((room) => rooms.includes(room)).map((room) => `${it.name} ${room}`);
  });
  return expected
    .filter((key) => heard.get(key)?.at(-1) !== "user left")
    .map((key) => `${name} was not told that ${key} has ended`);
}

/** Whose going somebody heard of although they were here all the time. */
function goingsInvented({ name, connections }, crowd) {
  const stayed = crowd.present.filter(({ longestAway }) => longestAway < GRACE_MS);
  const here = new Set(stayed.map((it) => it.name));
  return connections
    .flatMap(({ presence }) => presence)
    .filter(({ event, user }) => event === "user left" && here.has(user))
    .map(({ user, room }) => `${name} was told that ${user} left ${room}, who never did`);
}

/** The events of each user in each room, in order. */
function byUserAndRoom(presence) {
  const all = new Map();
  for (const { event, user, room } of presence) {
    const key = `${user} ${room}`;
    all.set(key, [...(all.get(key) ?? []), event]);
  }
  return all;
}

function same(names, people) {
  return isDeepStrictEqual([...names].sort(), people.map(({ name }) => name).sort());
}

function difference(names, people) {
  const here = new Set(people.map(({ name }) => name));
  const ghosts = names.filter((it) => !here.has(it));
  const missing = [...here].filter((it) => !names.includes(it));
  return `ghosts [${ghosts}], missing [${missing}]`;
}
