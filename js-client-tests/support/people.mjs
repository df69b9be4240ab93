// People in rooms: what nearly every test begins with.

import { unique } from "./names.mjs";
import { epoch, signed } from "./tokens.mjs";

/** Somebody connected by `way`, not yet known by name. Leaves when the test ends. */
export async function arrive(t, way, server, options) {
  const client = await way.connect(server, options);
  if (server.settle) client.settle = () => server.settle();
  t.after(() => client.close());
  return client;
}

/**
 * A guest with a name of their own in `options.room`, or in the lobby.
 *
 * `welcome` goes out just before they are in the room; whoever has an answer to a request after it is.
 */
export async function enter(t, way, server, base, options) {
  const client = await arrive(t, way, server, options);
  const person = await client.identify(unique(base));
  await person.ask("GroupList", {});
  return person;
}

/**
 * A user of the back end, whom the server remembers while they are away. `claims` go into the token,
 * and the server has the setting `token.secret`.
 */
export async function enrol(t, way, server, base, { claims = {}, ...options } = {}) {
  const token = await signed(server, { sub: unique(base), exp: epoch(600), ...claims });
  const person = await comeBack(t, way, server, token, options);
  await person.ask("GroupList", {});
  return person;
}

/** Ann, who owns a room of their own, and Bob, who is a member of it. */
export async function pair(t, way, server) {
  const room = unique("room");
  const ann = await enrol(t, way, server, "ann", { room });
  return { room, ann, bob: await enrol(t, way, server, "bob", { room }) };
}

/** Somebody who has a token. */
export async function comeBack(t, way, server, token, options = {}) {
  const client = await arrive(t, way, server, { ...options, token });
  return client.welcomed(token);
}

/**
 * Says something in `room` that `others` are sure to hear, and waits until they have.
 *
 * What was to be heard before it was heard by then: so tests can look for what must *not* come.
 */
export async function fence(speaker, room, ...others) {
  const id = unique("fence");
  const answer = await speaker.ask("send message", { room, msg: id, id });
  if (!answer.ok) throw new Error(`the fence was refused: ${JSON.stringify(answer)}`);
  await Promise.all(others.map((it) => it.next("new message", (message) => message.id === id)));
  return answer;
}

/**
 * Reads on until `seen` holds at least `most` messages: those that were missed, and then the live
 * ones. What a connection was sent beyond them is forgotten with it.
 */
export async function readUntil(client, seen, most) {
  while (seen.length < most) {
    const { event, data } = await client.inbox.nextOf(["missed", "new message", "GroupChat"]);
    if (event !== "missed") seen.push(data);
    else if (data.recovered) seen.push(...data.messages);
    else throw new Error("the server did not recover what was missed");
  }
}
