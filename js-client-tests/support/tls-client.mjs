// TLS handshakes without HTTP: what a server agrees on, and which certificate it has.

import { once } from "node:events";
import tls from "node:tls";

import { withTimeout } from "./timeouts.mjs";

/** A connection whose handshake is complete. `ca` is the certificate of an authority that it trusts. */
export async function handshake(server, ca, options = {}) {
  const { port } = server;
  const socket = tls.connect({ port, host: "127.0.0.1", servername: "localhost", ca, ...options });
  socket.on("error", () => {});
  await withTimeout("the handshake", once(socket, "secureConnect"));
  return socket;
}

/** The name in the certificate that a new connection is served. */
export async function servedName(server, ca) {
  const socket = await handshake(server, ca);
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return CN;
}
