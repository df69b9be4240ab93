// People in rooms: what nearly every test begins with.

import { epochSeconds, signToken } from "./tokens.mjs";
import { unique } from "./unique.mjs";

/** Somebody connected by `way`, not yet known by name. Leaves when the test ends. */
export async function connect(t, clientType, server, options) {
  const client = await clientType.connect(server, options);
  if (server.settle) client.settle = () => server.settle();
  t.after(() => client.close());
  return client;
}

/**
 * A guest with a name of their own in `options.room`, or in the lobby.
 *
 * `welcome` goes out just before they are in the room; whoever has an answer to a request after it is.
 */
export async function joinAsGuest(t, clientType, server, base, options) {
  const client = await connect(t, clientType, server, options);
  const person = await client.identify(unique(base));
  await person.ask("GroupList", {});
  return person;
}

/**
 * A user of the back end, whom the server remembers while they are away. `claims` go into the token,
 * and the server has the setting `token.secret`.
 */
export async function joinAsUser(t, clientType, server, base, { claims = {}, ...options } = {}) {
  const token = await signToken(server, { sub: unique(base), exp: epochSeconds(600), ...claims });
  const person = await connectWithToken(t, clientType, server, token, options);
  await person.ask("GroupList", {});
  return person;
}

/** Ann, who owns a room of their own, and Bob, who is a member of it. */
export async function ownerAndMember(t, clientType, server) {
  const room = unique("room");
  const ann = await joinAsUser(t, clientType, server, "ann", { room });
  return { room, ann, bob: await joinAsUser(t, clientType, server, "bob", { room }) };
}

/** Somebody who has a token. */
export async function connectWithToken(t, clientType, server, token, options = {}) {
  const client = await connect(t, clientType, server, { ...options, token });
  return client.waitForWelcome(token);
}

/**
 * Says something in `room` that `others` are sure to hear, and waits until they have.
 *
 * What was to be heard before it was heard by then: so tests can look for what must *not* come.
 */
export async function barrier(sender, room, ...others) {
  const id = unique("fence");
  const answer = await sender.ask("send message", { room, msg: id, id });
  if (!answer.ok) throw new Error(`the fence was refused: ${JSON.stringify(answer)}`);
  await Promise.all(others.map((it) => it.next("new message", (message) => message.id === id)));
  return answer;
}

/**
 * Reads on until `seen` holds at least `most` messages: those that were missed, and then the live
 * ones. What a connection was sent beyond them is forgotten with it.
 */
export async function readUntilCount(client, seen, most) {
  while (seen.length < most) {
    const { event, data } = await client.events.nextOf(["missed", "new message", "GroupChat"]);
    if (event !== "missed") seen.push(data);
    else if (data.recovered) seen.push(...data.messages);
    else throw new Error("the server did not recover what was missed");
  }
}
