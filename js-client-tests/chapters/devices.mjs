// A device that comes back, and one that takes another's place. docs/protocol.md "Devices".

import assert from "node:assert/strict";
import { test } from "node:test";

import { accepted, isTime } from "../support/assert.mjs";
import { unique } from "../support/names.mjs";
import { within } from "../support/patience.mjs";
import { arrive, comeBack, enter, fence } from "../support/people.mjs";
import { minted } from "../support/tokens.mjs";
import { plain } from "../support/ws.mjs";

/** `server` lets a user have many devices, and has a short grace. */
export function devices(way, server) {
  test("a device that comes back is known, and when it was last here", async (t) => {
    const [device, room] = [unique("device"), unique("room")];
    const bob = await enter(t, plain, server, "bob", { room });
    const token = await minted(server, unique("ann"));
    const first = await comeBack(t, way, server, token, { device, room });
    assert.equal(first.welcome.returning, false);
    assert.ok(!("lastSeen" in first.welcome));
    first.close();
    await bob.next("user left", ({ user }) => user === first.name);
    const gone = Date.now();
    const again = await comeBack(t, way, server, token, { device, room });
    assert.equal(again.welcome.returning, true);
    isTime(again.welcome.lastSeen);
    assert.ok(Date.parse(again.welcome.lastSeen) <= gone);
    const inQuery = await comeBack(t, way, server, token, { query: { device } });
    assert.equal(inQuery.welcome.returning, true);
  });

  test("another device of the user, and that device of another user, are new", async (t) => {
    const device = unique("device");
    const token = await minted(server, unique("ann"));
    await comeBack(t, way, server, token, { device });
    const other = await comeBack(t, way, server, token, { device: unique("device") });
    assert.equal(other.welcome.returning, false);
    const user = await comeBack(t, way, server, await minted(server, unique("bob")), { device });
    assert.equal(user.welcome.returning, false);
  });

  test("who names no device is told nothing of devices", async (t) => {
    const ann = await enter(t, way, server, "ann");
    for (const key of ["returning", "lastSeen"]) assert.ok(!(key in ann.welcome), key);
  });

  test("a guest says it with their name, or has said it at the door", async (t) => {
    const [one, other] = [unique("device"), unique("device")];
    const ann = await arrive(t, way, server, { device: other });
    accepted(await ann.ask("new user", { name: unique("ann"), device: one }));
    await ann.welcomed();
    assert.equal(ann.welcome.returning, false);
    const again = await comeBack(t, way, server, ann.token, { device: one });
    assert.equal(again.welcome.returning, true);
    const bob = await enter(t, way, server, "bob", { device: other });
    const back = await comeBack(t, way, server, bob.token, { device: other });
    assert.equal(back.welcome.returning, true);
  });

  test("a user may have many devices at one time", async (t) => {
    const room = unique("room");
    const token = await minted(server, unique("ann"));
    const all = [];
    for (const device of [unique("device"), unique("device"), undefined]) {
      for (const it of [way, plain]) {
        all.push(await comeBack(t, it, server, token, { device, room }));
      }
    }
    await fence(all[0], room, ...all);
    for (const it of all) assert.deepEqual(it.take("closing"), []);
  });
}

/** `server` has `devices = "newest"`. */
export function newest(way, server) {
  for (const [first, second] of [
    [way, plain],
    [plain, way],
  ]) {
    test(`${second.label} takes the place of ${first.label}`, async (t) => {
      const room = unique("room");
      const token = await minted(server, unique("ann"));
      const [one, other] = [unique("device"), unique("device")];
      const witness = await enter(t, plain, server, "bob", { room });
      const eager = { device: one, room, ...comingBack(first) };
      const old = await comeBack(t, first, server, token, eager);
      const beside = await comeBack(t, second, server, token, { device: one, room });
      await fence(witness, room, old, beside); // one device may be here twice
      const young = await comeBack(t, second, server, token, { device: other, room });
      for (const it of [old, beside]) await replaced(it);
      await fence(young, room, young, witness);
      assert.deepEqual(young.take("closing"), []);
      assert.deepEqual(witness.take("user left"), []);
    });
  }

  test("a connection without a device is a device of its own", async (t) => {
    const token = await minted(server, unique("ann"));
    const known = await comeBack(t, way, server, token, { device: unique("device") });
    const nameless = await comeBack(t, way, server, token);
    await replaced(known);
    const another = await comeBack(t, way, server, token);
    await replaced(nameless);
    await fence(another, undefined, another);
  });

  test("guests have devices, too, and other users are left alone", async (t) => {
    const bob = await enter(t, way, server, "bob", { device: unique("device") });
    const ann = await enter(t, way, server, "ann", { device: unique("device") });
    const again = await comeBack(t, way, server, ann.token, { device: unique("device") });
    await replaced(ann);
    await fence(again, undefined, bob);
    assert.deepEqual(bob.take("closing"), []);
  });

  test("the one that came back with `auth` counts as well", async (t) => {
    const token = await minted(server, unique("ann"));
    const old = await comeBack(t, way, server, token, { device: unique("device") });
    const young = await arrive(t, way, server, { device: unique("device") });
    accepted(await young.ask("auth", { token }));
    await replaced(old);
    await fence(young, undefined, young);
  });
}

/** Official clients come back by themselves, unless they are told to stay away. */
function comingBack(way) {
  const quickly = { reconnection: true, reconnectionDelay: 10, reconnectionDelayMax: 20 };
  return way.wire === "socket.io" ? { extra: quickly } : {};
}

/** Waits for the words and then for the end that is for good. */
async function replaced(client) {
  const { code, reconnect } = await client.next("closing");
  assert.deepEqual([code, reconnect], ["replaced", false]);
  const end = await within("the end of the connection", client.gone);
  if (client.engine === undefined) return assert.deepEqual(end, { code: 4500, reason: "replaced" });
  assert.equal(end, "io server disconnect");
  assert.equal(client.socket.connected, false);
  if (client.socket.active !== undefined) assert.equal(client.socket.active, false);
}
