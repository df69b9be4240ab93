// One client on each node, to wait until the bus has delivered everything that was published
// before.
//
// An acknowledgement is sent when an entry is stored. The other nodes receive it a moment later
// through the bus, which keeps the order of each publisher: a node that delivers a marker message
// has received everything that the sender's node published before the marker.

import { encodeJwt, epochSeconds, SECRET } from "./tokens.mjs";
import { unique } from "./unique.mjs";
import { wsJson } from "./ws.mjs";

/** The space of the marker messages. */
export const BARRIER = { space: "/barrier" };

/**
 * An announcement may make another node send a query, which is answered: so one round is not
 * enough.
 */
const ROUNDS = 3;

export class BusBarrier {
  #nodes;
  #clients;

  constructor(nodes) {
    this.#nodes = nodes;
  }

  /** Waits until every node has received what was published so far, and the replies to it. */
  async settle() {
    this.#clients ??= Promise.all(this.#nodes.map(connectTo));
    const clients = await this.#clients;
    for (let n = 0; n < ROUNDS; n += 1) {
      const ids = clients.map(() => unique("marker"));
      for (const [at, it] of clients.entries()) {
        it.emit("send message", { msg: "marker", id: ids[at] });
      }
      await Promise.all(clients.flatMap((it) => ids.map((id) => received(it, id))));
    }
  }

  async end() {
    // The test already reports why they could not connect.
    const clients = await this.#clients?.catch(() => []);
    for (const it of clients ?? []) it.close();
  }
}

async function connectTo(node) {
  const token = encodeJwt({ sub: unique("barrier"), exp: epochSeconds(3600) }, { key: SECRET });
  return (await wsJson.connect(node, { token, ...BARRIER })).waitForWelcome();
}

function received(client, id) {
  return client.next("new message", (it) => it.id === id);
}
