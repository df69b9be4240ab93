// Display names on several nodes: the suite of one node, and a name that changes on another node.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { displayNames, freshToken, NAME_SETTINGS } from "../suites/display-names.mjs";
import { assertOk } from "../support/assert.mjs";
import { nodesForThisFile } from "../support/cluster.mjs";
import { connectWithToken, joinAsUser } from "../support/fixtures.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

// The grace period is longer than nodes take to announce a disconnect to each other.
const cluster = nodesForThisFile({ ...NAME_SETTINGS, "limits.presence_grace_ms": 300 });

for (const clientType of [wsJson, socketIo("4.8", "polling")]) {
  describe(`display names on several nodes over ${clientType.label}`, () =>
    displayNames(clientType, cluster.roundRobin));
}

test("a user who is on two nodes has the name of the token that identified last", async (t) => {
  const [one, two] = cluster.nodes;
  const room = unique("room");
  const bob = await joinAsUser(t, wsJson, one, "bob", { room });
  const ann = await joinAsUser(t, wsJson, one, "ann", { room, claims: { name: "Before" } });
  assert.equal((await bob.next("user joined")).name, "Before");
  const token = await freshToken(two, ann.name, "After");
  const second = await connectWithToken(t, wsJson, two, token, { room });
  // Its announcement precedes the message on the channel of the room.
  for (const it of [second, ann]) {
    assertOk(await it.ask("send message", { room, msg: "hi" }));
    assert.equal((await bob.next("new message")).name, "After");
  }
  assert.deepEqual(assertOk(await bob.ask("GroupList", { room })).names, { [ann.name]: "After" });
});
