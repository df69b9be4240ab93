// Who is there: `get users`, `user joined`, `user left`. docs/protocol.md "Server to client".

import assert from "node:assert/strict";
import { test } from "node:test";

import { accepted, sameNames } from "../support/assert.mjs";
import { unique } from "../support/names.mjs";
import { comeBack, enter, fence } from "../support/people.mjs";

/** `server` has a short `presence_grace_ms`. */
export function presence(way, server) {
  test("the list of names goes to all when somebody comes or goes", async (t) => {
    const room = unique("room");
    const ann = await enter(t, way, server, "ann", { room });
    await ann.next("get users", lists(ann));
    const bob = await enter(t, way, server, "bob", { room });
    assert.deepEqual(await ann.next("user joined"), { room, user: bob.name });
    for (const it of [ann, bob]) await it.next("get users", lists(ann, bob));
    bob.close();
    assert.deepEqual(await ann.next("user left"), { room, user: bob.name });
    await ann.next("get users", lists(ann));
  });

  test("the network's way of going counts as one, too", async (t) => {
    const room = unique("room");
    const ann = await enter(t, way, server, "ann", { room });
    const bob = await enter(t, way, server, "bob", { room });
    bob.vanish();
    assert.deepEqual(await ann.next("user left"), { room, user: bob.name });
  });

  test("a user with a second connection does not go with the first", async (t) => {
    const room = unique("room");
    const ann = await enter(t, way, server, "ann", { room });
    const bob = await enter(t, way, server, "bob", { room });
    const second = await comeBack(t, way, server, bob.token, { room });
    const carol = await enter(t, way, server, "carol", { room });
    bob.close();
    carol.close();
    await ann.next("user left", ({ user }) => user === carol.name);
    await fence(second, room, ann);
    assert.deepEqual(ann.take("user left"), []);
    assert.equal(accepted(await ann.ask("GroupList")).count, 2);
  });

  test("many changes make few lists", async (t) => {
    const room = unique("room");
    const ann = await enter(t, way, server, "ann", { room });
    const begin = performance.now();
    const others = await Promise.all(
      Array.from({ length: 12 }, () => enter(t, way, server, "other", { room })),
    );
    let lists = 0;
    for (let names = []; names.length < 13; lists += 1) names = await ann.next("get users");
    const seconds = (performance.now() - begin) / 1000;
    assert.ok(lists <= seconds + 3, `${lists} lists in ${seconds} s`);
    assert.equal(others.length, 12);
  });
}

/** `server` has a `presence_grace_ms` that no test outlives. */
export function presenceInTheGrace(way, server) {
  test("who is back within the grace was never gone", async (t) => {
    const room = unique("room");
    const ann = await enter(t, way, server, "ann", { room });
    const bob = await enter(t, way, server, "bob", { room });
    await ann.next("user joined");
    bob.vanish();
    await bob.gone;
    const back = await comeBack(t, way, server, bob.token, { room });
    await fence(back, room, ann);
    assert.deepEqual(ann.take("user joined"), []);
    assert.deepEqual(ann.take("user left"), []);
    sameNames(accepted(await ann.ask("GroupList")).users, [ann.name, bob.name]);
  });

  test("leaving by word does not wait", async (t) => {
    const room = unique("room");
    const ann = await enter(t, way, server, "ann", { room });
    const bob = await enter(t, way, server, "bob", { room });
    accepted(await bob.ask("leave", room));
    assert.deepEqual(await ann.next("user left"), { room, user: bob.name });
  });
}

/** Whether a list names these people and nobody else. */
function lists(...people) {
  const expected = people.map(({ name }) => name).sort().join();
  return (names) => {
    assert.ok(names.every((name) => typeof name === "string"));
    return [...names].sort().join() === expected;
  };
}
