// Connected clients: what nearly every test starts with.

import { epochSeconds, signToken } from "./tokens.mjs";
import { unique } from "./unique.mjs";

/** A connection without a user yet. It is closed when the test ends. */
export async function connect(t, clientType, server, options) {
  const client = await clientType.connect(server, options);
  if (server.settle) client.settle = () => server.settle();
  t.after(() => client.close());
  return client;
}

/**
 * A connection without a user, whose session has begun: the server tells that by no event, but by its
 * first answer.
 */
export async function connectAnonymously(t, clientType, server, options) {
  const client = await connect(t, clientType, server, options);
  await client.ask("GroupList", {});
  return client;
}

/**
 * A guest with a unique name in `options.room`, or in the lobby.
 *
 * The server sends `welcome` just before the user is in the room; an acknowledged request after it
 * shows that the user is in.
 */
export async function joinAsGuest(t, clientType, server, base, options) {
  const client = await connect(t, clientType, server, options);
  await client.identify(unique(base));
  await client.ask("GroupList", {});
  return client;
}

/**
 * A user with a token, whom the server remembers while they are offline. `claims` go into the
 * token; the server has the setting `token.secret`.
 */
export async function joinAsUser(t, clientType, server, base, { claims = {}, ...options } = {}) {
  const token = await signToken(server, { sub: unique(base), exp: epochSeconds(600), ...claims });
  const client = await connectWithToken(t, clientType, server, token, options);
  await client.ask("GroupList", {});
  return client;
}

/** The users `ann`, the owner of a new room, and `bob`, a member of it. */
export async function ownerAndMember(t, clientType, server) {
  const room = unique("room");
  const ann = await joinAsUser(t, clientType, server, "ann", { room });
  return { room, ann, bob: await joinAsUser(t, clientType, server, "bob", { room }) };
}

/** A client that connects with a token. */
export async function connectWithToken(t, clientType, server, token, options = {}) {
  const client = await connect(t, clientType, server, { ...options, token });
  return client.waitForWelcome(token);
}

/**
 * Sends a marker message to `room`, and waits until `others` have received it.
 *
 * Everything that was to be delivered before the marker has been delivered by then: so a test can
 * assert that an event did *not* arrive.
 */
export async function barrier(sender, room, ...others) {
  const id = unique("marker");
  const answer = await sender.ask("send message", { room, msg: id, id });
  if (!answer.ok) throw new Error(`the marker was refused: ${JSON.stringify(answer)}`);
  await Promise.all(others.map((it) => it.next("new message", (message) => message.id === id)));
  return answer;
}

/**
 * Reads until `seen` holds at least `most` messages: first the missed ones, then live ones. Events
 * that the connection received beyond them are dropped.
 */
export async function readUntilCount(client, seen, most) {
  while (seen.length < most) {
    const { event, data } = await client.events.nextOf(["missed", "new message", "GroupChat"]);
    if (event !== "missed") seen.push(data);
    else if (data.recovered) seen.push(...data.messages);
    else throw new Error("the server did not recover the missed messages");
  }
}

/** All missed messages, of every page. */
export async function readMissed(client, timeoutMs) {
  const missed = [];
  for (let more = true; more; ) {
    const page = await client.next("missed", undefined, timeoutMs);
    if (!page.recovered) throw new Error("the server did not recover the missed messages");
    missed.push(...page.messages);
    ({ more } = page);
  }
  return missed;
}

/** A user with two devices: a client on each. */
export async function userOnTwoDevices(t, clientType, server, base) {
  const first = await joinAsUser(t, clientType, server, base, { device: unique("device") });
  const device = unique("device");
  return [first, await connectWithToken(t, clientType, server, first.token, { device })];
}
