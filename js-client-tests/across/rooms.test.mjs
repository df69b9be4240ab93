// One room, two wires.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { accepted, dense, refused, sameNames } from "../support/assert.mjs";
import { unique } from "../support/names.mjs";
import { arrive, comeBack, enter, fence } from "../support/people.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { SOME_WAYS } from "../support/socket.io.mjs";
import { plain } from "../support/ws.mjs";

const server = serverForThisFile({ settings: { "limits.presence_grace_ms": 100 } });

for (const way of SOME_WAYS) {
  describe(`${way.label} and plain WebSocket in one room`, () => {
    test("each hears what the other says, in the same words", async (t) => {
      const { room, ann, bob } = await pair(t);
      for (const [speaker, listener] of [
        [ann, bob],
        [bob, ann],
      ]) {
        const body = { text: way.text("Grüße 🙂"), n: [1, null, true] };
        const said = accepted(await speaker.ask("send message", { room, msg: body }));
        const heard = await listener.next("new message");
        assert.deepEqual(heard, await speaker.next("new message"));
        const { id, seq, at } = said;
        assert.deepEqual(heard, { room, seq, id, username: speaker.name, msg: body, at });
        accepted(await speaker.ask("GroupChat", { room, data: body }));
        assert.deepEqual((await listener.next("GroupChat")).data, body);
      }
      const page = accepted(await ann.ask("history"));
      dense(page.messages);
      assert.deepEqual(await bob.ask("history"), page);
    });

    test("each sees the other come and go", async (t) => {
      const { room, ann, bob } = await pair(t);
      sameNames(accepted(await bob.ask("GroupList")).users, [ann.name, bob.name]);
      for (const it of [ann, bob]) await it.next("get users", (names) => names.length === 2);
      accepted(await ann.ask("leave", room));
      assert.deepEqual(await bob.next("user left"), { room, user: ann.name });
      accepted(await ann.ask("join", room));
      await bob.next("user joined", ({ user }) => user === ann.name);
      bob.close();
      assert.deepEqual(await ann.next("user left"), { room, user: bob.name });
    });

    test("a name is taken on both", async (t) => {
      const { ann, bob } = await pair(t);
      const [other, another] = [await arrive(t, plain, server), await arrive(t, way, server)];
      refused(await other.ask("new user", ann.name), "name_taken");
      refused(await another.ask("new user", bob.name), "name_taken");
    });

    test("one user may be on both, and an id is theirs on both", async (t) => {
      const { room, ann } = await pair(t);
      const second = await comeBack(t, plain, server, ann.token, { room });
      const message = { room, msg: "once", id: unique("id") };
      const first = accepted(await ann.ask("send message", message));
      assert.deepEqual(await second.ask("send message", message), { ...first, duplicate: true });
      refused(await second.ask("send message", { ...message, msg: "twice" }), "conflict");
      accepted(await ann.ask("GroupChat", "for the other one"));
      await second.next("GroupChat");
    });

    test("what was missed on one is made up for on the other", async (t) => {
      const { room, ann, bob } = await pair(t);
      const said = Array.from({ length: 30 }, (_, n) => ({ msg: n }));
      (await ann.askAll("send message", said)).forEach(accepted);
      const since = { [room]: 10 };
      for (const [wire, token] of [
        [plain, ann.token],
        [way, bob.token],
      ]) {
        const back = await comeBack(t, wire, server, token, { room, since });
        const { messages } = await back.next("missed");
        assert.equal(messages.length, 20);
        dense(messages, 11);
      }
    });

    test("direct messages cross", async (t) => {
      const { ann, bob } = await pair(t);
      for (const [speaker, listener] of [
        [ann, bob],
        [bob, ann],
      ]) {
        const to = listener.name;
        const answer = accepted(await speaker.ask("SingleChat", { to, data: "psst" }));
        assert.equal(answer.online, true);
        const heard = await listener.next("SingleChat");
        const { id, seq, at } = answer;
        assert.deepEqual(heard, { to, seq, id, user: speaker.name, data: "psst", at });
      }
      const page = accepted(await ann.ask("history", { with: bob.name }));
      assert.equal(page.messages.length, 2);
      assert.deepEqual(await bob.ask("history", { with: ann.name }), page);
    });

    /** Ann on Socket.IO and bob on plain WebSocket, each aware of the other. */
    async function pair(t) {
      const room = unique("room");
      const ann = await enter(t, way, server, "ann", { room });
      const bob = await enter(t, plain, server, "bob", { room });
      await ann.next("user joined");
      return { room, ann, bob };
    }
  });
}

test("all clients there are sit in one room and see one order", async (t) => {
  const room = unique("room");
  const people = [];
  for (const it of [...SOME_WAYS, plain]) people.push(await enter(t, it, server, "one", { room }));
  const list = Array.from({ length: 40 }, (_, n) => ({ msg: n }));
  await Promise.all(people.map((it) => it.askAll("send message", list)));
  const count = list.length * people.length;
  const views = await Promise.all(people.map((it) => it.collect("new message", count)));
  for (const view of views) {
    dense(view);
    assert.deepEqual(view, views[0]);
  }
  await fence(people[0], room, ...people);
});
