// Ports for servers that come back on the same one.
//
// They lie below those that the kernel gives to clients: while such a server is down, somebody who
// tries to connect to it cannot be given its port, nor meet themselves there.

import net from "node:net";

const FIRST = 15_000;
const LAST = 32_000;
const TRIES_MAX = 100;

const taken = new Set();

/** A port on which nobody listens, and that no other server of this process has. */
export async function freePort() {
  for (let n = 0; n < TRIES_MAX; n += 1) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    if (taken.has(port) || !(await isFree(port))) continue;
    taken.add(port);
    return port;
  }
  throw new Error(`no free port in ${TRIES_MAX} tries`);
}

function isFree(port) {
  const server = net.createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
