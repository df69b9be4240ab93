// Ports for servers that restart on the same port.
//
// They lie below the kernel's range for outgoing connections: while such a server is down, a client
// that tries to connect cannot be assigned its port, nor connect to itself.

import net from "node:net";

const FIRST = 15_000;
const LAST = 32_000;
const TRIES_MAX = 100;

const taken = new Set();

/** A port that is free, and that this process did not hand out before. */
export async function freePort() {
  for (let n = 0; n < TRIES_MAX; n += 1) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    if (taken.has(port) || !(await isFree(port))) continue;
    taken.add(port);
    return port;
  }
  throw new Error(`no free port in ${TRIES_MAX} attempts`);
}

function isFree(port) {
  const server = net.createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
