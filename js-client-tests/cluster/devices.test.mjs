// The newest device of a user closes the others, wherever they are; so do the end of a session and
// the end of a token.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { newest } from "../chapters/devices.mjs";
import { expiry } from "../chapters/expiry.mjs";
import { clusterForThisFile } from "../support/cluster.mjs";
import { unique } from "../support/names.mjs";
import { within } from "../support/patience.mjs";
import { arrive, comeBack, fence } from "../support/people.mjs";
import { SENTRIES } from "../support/sentries.mjs";
import { end, signedIn } from "../support/session.mjs";
import { way } from "../support/socket.io.mjs";
import { minted } from "../support/tokens.mjs";
import { plain } from "../support/ws.mjs";

const WAYS = [plain, way("4.8", "polling"), way("4.8", "websocket")];

const quick = {
  "limits.presence_grace_ms": 100,
  "token.guest_ttl_secs": 5,
  spaces: [SENTRIES.space],
};
const single = clusterForThisFile({ nodes: 2, settings: { ...quick, devices: "newest" } });
const many = clusterForThisFile({ settings: quick });

for (const it of WAYS.slice(0, 2)) {
  describe(`the newest device on two nodes over ${it.label}`, () => newest(it, single.asOne));
  describe(`the end of a token on three nodes over ${it.label}`, { concurrency: true }, () => {
    expiry(it, many.asOne);
  });
}

test("the newest of many devices, which come at the same time, is the one that stays", async (t) => {
  const server = single.asOne;
  const token = await minted(server, unique("ann"));
  const room = unique("room");
  const come = () => comeBack(t, plain, server, token, { room, device: unique("device") });
  const all = await Promise.all(Array.from({ length: 6 }, come));
  const ended = all.map((it) => within("the end", it.gone).then(({ code }) => code));
  const last = await come();
  assert.deepEqual(
    await Promise.all(ended),
    all.map(() => 4500),
  );
  await fence(last, room, last);
  assert.deepEqual(last.take("closing"), []);
});

for (const it of WAYS) {
  test(`signing out on one node ends ${it.label} on the others`, async (t) => {
    const [one, two, three] = many.nodes;
    const room = unique("room");
    const token = await minted(one, unique("ann"));
    const [session, other] = [await signedIn(one, { token }), await signedIn(two, { token })];
    const ended = [];
    for (const node of [one, two, three]) ended.push(await come(node, session));
    const kept = await come(two, other);
    assert.equal((await end(three, session)).status, 204);
    for (const client of ended) {
      const { code, reconnect } = await client.next("closing");
      assert.deepEqual([code, reconnect], ["signed_out", false]);
      await within("the end of a connection", client.gone);
    }
    await fence(kept, room, kept);
    assert.deepEqual(kept.take("closing"), []);
    for (const node of [one, two, three]) {
      assert.equal(await it.refusal(node, { headers: session }), "unauthorized");
    }

    async function come(node, headers) {
      return (await arrive(t, it, node, { headers, room })).welcomed();
    }
  });
}
