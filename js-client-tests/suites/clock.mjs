// The time at an interval. docs/protocol.md "Server to client".

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk, assertRecentTime, assertRefused } from "../support/assert.mjs";
import { connectAnonymously, joinAsUser } from "../support/fixtures.mjs";
import { SECRET } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";

/** The settings that these tests need. */
export const CLOCK_SETTINGS = {
  clock_secs: 1,
  events: [{ name: "*", to: "room" }],
  "rooms.auto_join": [],
  "token.secret": SECRET,
};

/** `server` has the settings `CLOCK_SETTINGS`. */
export function clock(clientType, server) {
  test("a connection in rooms receives it once each time", async (t) => {
    const ann = await joinAsUser(t, clientType, server, "ann", { room: unique("room") });
    assertOk(await ann.ask("join", unique("another")));
    const ticks = await ann.collect("clock", 3);
    for (const tick of ticks) {
      assert.deepEqual(Object.keys(tick), ["at"]);
      assertRecentTime(tick.at);
    }
    const [first, second, third] = ticks.map(({ at }) => Date.parse(at));
    assert.ok(first < second && second < third, "each time is later");
    assert.ok(third - first > 1000, `${third - first} ms between three of them`);
  });

  test("a connection in no room, or without a user, does not", async (t) => {
    const room = unique("room");
    const ann = await joinAsUser(t, clientType, server, "ann", { room });
    const bob = await joinAsUser(t, clientType, server, "bob", { room });
    const anonymous = await connectAnonymously(t, clientType, server, { room });
    await bob.next("clock");
    assertOk(await bob.ask("leave", room));
    bob.take("clock");
    await ann.collect("clock", 3);
    assert.deepEqual([...bob.take("clock"), ...anonymous.take("clock")], []);
    assertOk(await bob.ask("join", room));
    await bob.next("clock");
  });

  test("nobody forges it", async (t) => {
    const ann = await joinAsUser(t, clientType, server, "ann", { room: unique("room") });
    assertRefused(await ann.askWith("clock", [{ at: "noon" }]), "unknown_event");
  });
}
