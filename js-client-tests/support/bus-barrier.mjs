// Somebody on each node who waits until all nodes have heard of each other what they had to say.
//
// An answer goes out when something is stored. The other nodes hear of it a moment later, through the
// bus, which carries what one node says in its order: who hears what a sentry said afterwards is on a
// node that has heard all that was before it.

import { encodeJwt, epochSeconds, SECRET } from "./tokens.mjs";
import { unique } from "./unique.mjs";
import { wsJson } from "./ws.mjs";

/** Where the sentries are among themselves. */
export const BARRIER = { space: "/sentries" };

/** What one node says may make another one ask, and be answered. */
const ROUNDS = 3;

export class BusBarrier {
  #nodes;
  #clients;

  constructor(nodes) {
    this.#nodes = nodes;
  }

  /** Waits until what was said by now has been heard, and answered. */
  async settle() {
    this.#clients ??= Promise.all(this.#nodes.map(connectTo));
    const clients = await this.#clients;
    for (let n = 0; n < ROUNDS; n += 1) {
      const ids = clients.map(() => unique("all-is-well"));
      for (const [at, it] of clients.entries()) {
        it.emit("send message", { msg: "all is well", id: ids[at] });
      }
      await Promise.all(clients.flatMap((it) => ids.map((id) => received(it, id))));
    }
  }

  async end() {
    const here = await this.#clients?.catch(() => []); // the test has said why they could not come
    for (const it of here ?? []) it.close();
  }
}

async function connectTo(node) {
  const token = encodeJwt({ sub: unique("sentry"), exp: epochSeconds(3600) }, { key: SECRET });
  return (await wsJson.connect(node, { token, ...BARRIER })).waitForWelcome();
}

function received(client, id) {
  return client.next("new message", (it) => it.id === id);
}
