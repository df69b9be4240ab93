// Dialects on several nodes: the room is the same one on all of them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { clusterForThisFile } from "../support/cluster.mjs";
import { connectDialect } from "../support/dialect.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { unique } from "../support/unique.mjs";

const cluster = clusterForThisFile({ nodes: 2 });

test("clients of two dialects and of Socket.IO share a room on two nodes", async (t) => {
  const [one, two] = cluster.nodes;
  const room = unique("room");
  const echo = await connectDialect(t, one, { protocols: ["echo-protocol"], path: `/ws/${room}` });
  await echo.answer(Buffer.from("ready?"));
  const name = unique("ann");
  const ann = await connectDialect(t, two, { protocols: ["talk"], path: `/ws/${room}` });
  ann.send({ event: "auth", user: name });
  const { message: auth } = await ann.nextJson();
  const bob = await joinAsGuest(t, socketIo("4.8", "websocket"), two, "bob", { room });
  ann.send({ event: "talk_with", auth, message: "from two" });
  assert.equal(await echo.next(), "from two");
  assert.equal((await bob.next("GroupChat")).user, name);
  echo.send("from one");
  assert.deepEqual(await ann.nextJson(), { event: "message", message: "from one" });
  assert.equal((await bob.next("new message")).msg, "from one");
  assert.equal(await echo.next(), "from one");
  const again = await connectDialect(t, one, { protocols: ["talk"], path: `/ws/${room}` });
  again.send({ event: "auth", user: name });
  const taken = { event: "error", message: "auth error,user name already exist" };
  assert.deepEqual(await again.nextJson(), taken, "the name is taken on the other node");
  assert.equal((await again.close()).code, 4502);
});
