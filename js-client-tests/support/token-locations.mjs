// Where a client may send its token, in the order in which the server looks. docs/protocol.md "Who
// you are".

import { cookieHeader, signIn } from "./cookie-session.mjs";

/**
 * Each location: which client types support it, the options that put a token there, and, where the
 * server sets it, how a valid one is obtained.
 */
const LOCATIONS = {
  auth: {
    supports: (clientType) => clientType.wire === "socket.io" && !clientType.legacy,
    attach: (token) => ({ token }),
  },
  Bearer: {
    supports: () => true,
    attach: (token) => authorization(`Bearer ${token}`),
  },
  Basic: {
    supports: () => true,
    attach: (token) => authorization(`Basic ${Buffer.from(`user:${token}`).toString("base64")}`),
  },
  cookie: {
    supports: () => true,
    attach: (token) => ({ headers: cookieHeader(token) }),
    obtain: async (token, server) => ({ headers: await signIn(server, { token }) }),
  },
  subprotocol: {
    // Engine.IO 3's clients do not pass it on, and a poll has none.
    supports: (clientType) =>
      clientType.wire === "ws" || (clientType.transport === "websocket" && !clientType.legacy),
    attach: (token) => ({ protocols: ["roomcast.bearer", token] }),
  },
  query: {
    supports: () => true,
    attach: (token) => ({ query: { token } }),
  },
};

/** The locations of a client type, in order of precedence. */
export function tokenLocationsOf(clientType) {
  return Object.entries(LOCATIONS)
    .filter(([, { supports }]) => supports(clientType))
    .map(([location, { attach, obtain = attach }]) => ({ location, attach, obtain }));
}

/** Merges the options of a connection. */
export function mergeOptions(one, other) {
  const both = (key) => ({ ...other[key], ...one[key] });
  return { ...other, ...one, headers: both("headers"), query: both("query") };
}

function authorization(value) {
  return { headers: { authorization: value } };
}
