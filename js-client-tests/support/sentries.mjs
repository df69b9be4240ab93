// Somebody on each node who waits until all nodes have heard of each other what they had to say.
//
// An answer goes out when something is stored. The other nodes hear of it a moment later, through the
// bus, which carries what one node says in its order: who hears what a sentry said afterwards is on a
// node that has heard all that was before it.

import { unique } from "./names.mjs";
import { epoch, jwt, SECRET } from "./tokens.mjs";
import { plain } from "./ws.mjs";

/** Where the sentries are among themselves. */
export const SENTRIES = { space: "/sentries" };

/** What one node says may make another one ask, and be answered. */
const ROUNDS = 3;

export class Sentries {
  #nodes;
  #here;

  constructor(nodes) {
    this.#nodes = nodes;
  }

  /** Waits until what was said by now has been heard, and answered. */
  async settle() {
    this.#here ??= Promise.all(this.#nodes.map(stand));
    const sentries = await this.#here;
    for (let n = 0; n < ROUNDS; n += 1) {
      const ids = sentries.map(() => unique("all-is-well"));
      for (const [at, it] of sentries.entries()) {
        it.tell("send message", { msg: "all is well", id: ids[at] });
      }
      await Promise.all(sentries.flatMap((it) => ids.map((id) => heard(it, id))));
    }
  }

  async end() {
    const here = await this.#here?.catch(() => []); // the test has said why they could not come
    for (const it of here ?? []) it.close();
  }
}

async function stand(node) {
  const token = jwt({ sub: unique("sentry"), exp: epoch(3600) }, { key: SECRET });
  return (await plain.connect(node, { token, ...SENTRIES })).welcomed();
}

function heard(sentry, id) {
  return sentry.next("new message", (it) => it.id === id);
}
