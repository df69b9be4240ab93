// Where a token may stand, in the order in which the server looks. docs/protocol.md "Who you are".

import { cookieHeader, signIn } from "./cookie-session.mjs";

/**
 * Each place: which ways have it, how a token is put there, and, where the server puts it there, how
 * a good one comes there.
 */
const LOCATIONS = {
  auth: {
    fits: (clientType) => clientType.wire === "socket.io" && !clientType.legacy,
    carry: (token) => ({ token }),
  },
  Bearer: {
    fits: () => true,
    carry: (token) => authorization(`Bearer ${token}`),
  },
  Basic: {
    fits: () => true,
    carry: (token) => authorization(`Basic ${Buffer.from(`anybody:${token}`).toString("base64")}`),
  },
  cookie: {
    fits: () => true,
    carry: (token) => ({ headers: cookieHeader(token) }),
    bring: async (token, server) => ({ headers: await signIn(server, { token }) }),
  },
  subprotocol: {
    // Engine.IO 3's clients do not hand it on, and a poll has none.
    fits: (clientType) =>
      clientType.wire === "ws" || (clientType.transport === "websocket" && !clientType.legacy),
    carry: (token) => ({ protocols: ["roomcast.bearer", token] }),
  },
  query: {
    fits: () => true,
    carry: (token) => ({ query: { token } }),
  },
};

/** The places that a way has: `{ place, carry, bring }`, the first one first. */
export function tokenLocationsOf(clientType) {
  return Object.entries(LOCATIONS)
    .filter(([, { fits }]) => fits(clientType))
    .map(([place, { carry, bring = carry }]) => ({ place, carry, bring }));
}

/** Options of a connection put together. */
export function mergeOptions(one, other) {
  const both = (key) => ({ ...other[key], ...one[key] });
  return { ...other, ...one, headers: both("headers"), query: both("query") };
}

function authorization(value) {
  return { headers: { authorization: value } };
}
