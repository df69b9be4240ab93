// Socket.IO clients that lose their transport, and what they have received.

import { once } from "node:events";

/** The events that a client receives from now on: the name and all arguments. */
export function record(client) {
  const received = [];
  client.socket.onAny((...event) => received.push(event));
  return received;
}

/** Drops the transport. */
export async function lose(client) {
  const lost = once(client.socket, "disconnect");
  client.drop();
  await lost;
}
