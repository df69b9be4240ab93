// Events that a back end answers over HTTP. docs/backend.md.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  assertClosedForGood,
  assertErrorEvent,
  assertOk,
  assertRefused,
} from "../support/assert.mjs";
import {
  barrier,
  connect,
  connectAnonymously,
  joinAsGuest,
  joinAsUser,
} from "../support/fixtures.mjs";
import { readHistory } from "../support/history.mjs";
import { withTimeout } from "../support/timeouts.mjs";
import { unique } from "../support/unique.mjs";
import { bodyCodec } from "./binary.mjs";

const BYTES = Buffer.from([0, 1, 255]);

/** `server` sends all events of the application to `backEnd`, and has the setting `token.secret`. */
export function backendEvents(clientType, server, backEnd) {
  const { write, read } = bodyCodec(clientType);

  /** The arguments of the acknowledgement. */
  const askForArgs = async (client, event, args) => {
    if (clientType.wire === "ws") return (await client.askWith(event, args)).args;
    const answered = new Promise((resolve) =>
      client.socket.emit(event, ...args, (...ack) => resolve(ack)),
    );
    return withTimeout(`the acknowledgement of ${event}`, answered);
  };

  test("it receives who sent what, and its answer is the acknowledgement", async (t) => {
    const event = unique("event");
    const room = unique("room");
    const ann = await joinAsUser(t, clientType, server, "ann", { room, claims: { admin: true } });
    backEnd.answer(event, ({ args }) => ({ ack: ["done", ...args] }));
    const args = [1, { a: BYTES }, null];
    const ack = await askForArgs(ann, event, args.map(write));
    assert.deepEqual(ack.map(read), ["done", ...args]);
    const { call } = backEnd.calls.find((it) => it.call.event === event);
    const { connection, ...rest } = call;
    assert.match(connection, /^\S+\.c[0-9a-f]+$/);
    assert.deepEqual(rest, {
      type: "event",
      space: "/",
      room,
      user: { id: ann.name, guest: false, admin: true },
      event,
      args: [1, { a: { base64: BYTES.toString("base64") } }, null],
    });
  });

  test("an anonymous connection may ask, too", async (t) => {
    const event = unique("event");
    const client = await connect(t, clientType, server);
    assertOk(await client.askWith(event, []));
    const { call } = backEnd.calls.find((it) => it.call.event === event);
    assert.equal(call.user, null);
  });

  test("a refusal has the code, the message and the data of the back end", async (t) => {
    const event = unique("event");
    const refuse = { code: "sold_out", message: "It is gone.", data: { left: 0 } };
    backEnd.answer(event, { refuse });
    const ann = await joinAsGuest(t, clientType, server, "ann");
    assert.deepEqual(await ann.askWith(event, []), { ok: false, ...refuse });
    ann.emitWith(event, []);
    const error = await ann.next("error message");
    assertErrorEvent(error, event, "sold_out");
    assert.deepEqual(error.data, { left: 0 });
  });

  test("it emits to rooms, users, connections and the space", async (t) => {
    const [event, room] = [unique("event"), unique("room")];
    const received = ["to room", "to user", "to connection", "to space", "to others"];
    const open = async (base, options) =>
      (await joinAsGuest(t, clientType, server, base, options)).listenTo(...received);
    const [ann, bob, eve] = [
      await open("ann", { room }),
      await open("bob", { room }),
      await open("eve"),
    ];
    const anonymous = await connectAnonymously(t, clientType, server);
    anonymous.listenTo(...received);
    const args = [7, { base64: BYTES.toString("base64") }];
    const emit = (event, to, more) => ({ emit: { event, args, to, ...more } });
    backEnd.answer(event, ({ connection, user }) => ({
      do: [
        emit("to room", { room }),
        emit("to others", { room }, { except: connection }),
        emit("to user", { user: eve.name }),
        emit("to connection", { connection }),
        emit("to space", { space: true }, { volatile: true }),
      ],
      ack: [user.id],
    }));
    assert.deepEqual(await askForArgs(ann, event, []), [ann.name]);
    const expected = [
      [ann, ["to room", "to connection", "to space"]],
      [bob, ["to room", "to others", "to space"]],
      [eve, ["to user", "to space"]],
      [anonymous, ["to space"]],
    ];
    for (const [client, names] of expected) {
      for (const name of names) assert.deepEqual((await client.next(name)).map(read), [7, BYTES]);
    }
    await barrier(ann, room, bob);
    for (const [client] of expected) {
      for (const name of received) assert.deepEqual(client.take(name), []);
    }
  });

  test("it posts, notifies, and changes members", async (t) => {
    const [event, room, other] = [unique("event"), unique("room"), unique("other")];
    const ann = (await joinAsUser(t, clientType, server, "ann", { room })).listenTo("kept");
    const bob = await joinAsUser(t, clientType, server, "bob");
    backEnd.answer(event, {
      do: [
        { message: { room, msg: "posted", id: "m1" } },
        { message: { room, msg: "posted", id: "m1" } },
        { emit: { event: "kept", args: [1], to: { room }, kept: true } },
        { join: { room: other, role: "admin" } },
        { join: { room: other, user: bob.name } },
        { notify: { to: bob.name, data: "psst" } },
        { leave: { room: unique("never") } },
      ],
    });
    assert.deepEqual(await ann.askWith(event, []), { ok: true });
    const [first, second] = await readHistory(ann, room);
    assert.deepEqual([first.event, first.msg, first.username], ["new message", "posted", ann.name]);
    assert.deepEqual([second.event, second.args, second.user], ["kept", [1], ann.name]);
    const [, kept] = await ann.next("kept");
    assert.equal(kept.seq, 2);
    assert.equal((await ann.next("membership", (it) => it.room === other)).role, "admin");
    const ofOther = (it) => it.room === other;
    assert.equal((await bob.next("membership", ofOther)).role, "member");
    assert.equal((await bob.next("notification")).data, "psst");
    // Another node may miss a membership that lasts for a moment, so it ends only now.
    backEnd.answer(event, { do: [{ kick: { room: other, user: bob.name } }] });
    await ann.askWith(event, []);
    assert.equal((await bob.next("membership", ofOther)).role, null);
  });

  test("it disconnects a user for good", async (t) => {
    const event = unique("event");
    const ann = await joinAsGuest(t, clientType, server, "ann");
    const bob = await joinAsGuest(t, clientType, server, "bob");
    backEnd.answer(event, { do: [{ disconnect: { user: bob.name } }] });
    assertOk(await ann.askWith(event, []));
    await assertClosedForGood(bob, "disconnected", 4503);
    assertOk(await ann.ask("send message", "still here"));
  });

  test("an event of another rule is not its business", async (t) => {
    const ann = await joinAsGuest(t, clientType, server, "ann");
    assertRefused(await ann.askWith("new message", []), "unknown_event");
    assert.ok(!backEnd.calls.some(({ call }) => call.event === "new message"));
  });
}
