// Returning devices, and `devices = "newest"`. docs/protocol.md "Devices".

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertClosedForGood, assertOk, assertRecentTime } from "../support/assert.mjs";
import { barrier, connect, connectWithToken, joinAsGuest } from "../support/fixtures.mjs";
import { mintToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

/** `server` allows several devices per user, and has a short grace period. */
export function devices(clientType, server) {
  test("a returning device is recognized, with the time when it was last seen", async (t) => {
    const [device, room] = [unique("device"), unique("room")];
    const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
    const token = await mintToken(server, unique("ann"));
    const first = await connectWithToken(t, clientType, server, token, { device, room });
    assert.equal(first.welcome.returning, false);
    assert.ok(!("lastSeen" in first.welcome));
    first.close();
    await bob.next("user left", ({ user }) => user === first.name);
    const gone = Date.now();
    const again = await connectWithToken(t, clientType, server, token, { device, room });
    assert.equal(again.welcome.returning, true);
    assertRecentTime(again.welcome.lastSeen);
    assert.ok(Date.parse(again.welcome.lastSeen) <= gone);
    const inQuery = await connectWithToken(t, clientType, server, token, { query: { device } });
    assert.equal(inQuery.welcome.returning, true);
  });

  test("another device of the user, and the same id of another user, are new", async (t) => {
    const device = unique("device");
    const token = await mintToken(server, unique("ann"));
    await connectWithToken(t, clientType, server, token, { device });
    const other = await connectWithToken(t, clientType, server, token, {
      device: unique("device"),
    });
    assert.equal(other.welcome.returning, false);
    const user = await connectWithToken(
      t,
      clientType,
      server,
      await mintToken(server, unique("bob")),
      {
        device,
      },
    );
    assert.equal(user.welcome.returning, false);
  });

  test("`welcome` without a device has no device fields", async (t) => {
    const ann = await joinAsGuest(t, clientType, server, "ann");
    for (const key of ["returning", "lastSeen"]) assert.ok(!(key in ann.welcome), key);
  });

  test("a guest names the device with `new user` or when connecting", async (t) => {
    const [one, other] = [unique("device"), unique("device")];
    const ann = await connect(t, clientType, server, { device: other });
    assertOk(await ann.ask("new user", { name: unique("ann"), device: one }));
    await ann.waitForWelcome();
    assert.equal(ann.welcome.returning, false);
    const again = await connectWithToken(t, clientType, server, ann.token, { device: one });
    assert.equal(again.welcome.returning, true);
    const bob = await joinAsGuest(t, clientType, server, "bob", { device: other });
    const back = await connectWithToken(t, clientType, server, bob.token, { device: other });
    assert.equal(back.welcome.returning, true);
  });

  test("a user may have several devices online", async (t) => {
    const room = unique("room");
    const token = await mintToken(server, unique("ann"));
    const all = [];
    for (const device of [unique("device"), unique("device"), undefined]) {
      for (const it of [clientType, wsJson]) {
        all.push(await connectWithToken(t, it, server, token, { device, room }));
      }
    }
    await barrier(all[0], room, ...all);
    for (const it of all) assert.deepEqual(it.take("closing"), []);
  });
}

/** `server` has `devices = "newest"`. */
export function newestDeviceOnly(clientType, server) {
  for (const [first, second] of [
    [clientType, wsJson],
    [wsJson, clientType],
  ]) {
    test(`${second.label} replaces ${first.label}`, async (t) => {
      const room = unique("room");
      const token = await mintToken(server, unique("ann"));
      const [one, other] = [unique("device"), unique("device")];
      const witness = await joinAsGuest(t, wsJson, server, "bob", { room });
      const options = { device: one, room, ...reconnecting(first) };
      const older = await connectWithToken(t, first, server, token, options);
      const beside = await connectWithToken(t, second, server, token, { device: one, room });
      await barrier(witness, room, older, beside); // one device may have two connections
      const newer = await connectWithToken(t, second, server, token, { device: other, room });
      for (const it of [older, beside]) await assertClosedForGood(it, "replaced", 4500);
      await barrier(newer, room, newer, witness);
      assert.deepEqual(newer.take("closing"), []);
      assert.deepEqual(witness.take("user left"), []);
    });
  }

  test("a connection without a device counts as its own device", async (t) => {
    const token = await mintToken(server, unique("ann"));
    const known = await connectWithToken(t, clientType, server, token, {
      device: unique("device"),
    });
    const nameless = await connectWithToken(t, clientType, server, token);
    await assertClosedForGood(known, "replaced", 4500);
    const another = await connectWithToken(t, clientType, server, token);
    await assertClosedForGood(nameless, "replaced", 4500);
    await barrier(another, undefined, another);
  });

  test("guests have devices, too, and other users are not affected", async (t) => {
    const bob = await joinAsGuest(t, clientType, server, "bob", { device: unique("device") });
    const ann = await joinAsGuest(t, clientType, server, "ann", { device: unique("device") });
    const again = await connectWithToken(t, clientType, server, ann.token, {
      device: unique("device"),
    });
    await assertClosedForGood(ann, "replaced", 4500);
    await barrier(again, undefined, bob);
    assert.deepEqual(bob.take("closing"), []);
  });

  test("a device that identified with `auth` replaces the others, too", async (t) => {
    const token = await mintToken(server, unique("ann"));
    const older = await connectWithToken(t, clientType, server, token, {
      device: unique("device"),
    });
    const newer = await connect(t, clientType, server, { device: unique("device") });
    assertOk(await newer.ask("auth", { token }));
    await assertClosedForGood(older, "replaced", 4500);
    await barrier(newer, undefined, newer);
  });
}

/** Options with which official clients reconnect unless the server disconnects them. */
function reconnecting(clientType) {
  const quickly = { reconnection: true, reconnectionDelay: 10, reconnectionDelayMax: 20 };
  return clientType.wire === "socket.io" ? { extra: quickly } : {};
}
