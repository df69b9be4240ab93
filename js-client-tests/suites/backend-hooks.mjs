// Requests of the protocol that a back end decides about. docs/backend.md "Messages and members".

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk, assertRefused } from "../support/assert.mjs";
import { connect, joinAsGuest, joinAsUser, ownerAndMember } from "../support/fixtures.mjs";
import { readHistory } from "../support/history.mjs";
import { unique } from "../support/unique.mjs";
import { bodyCodec } from "./binary.mjs";

/** What the server needs besides the address of the back end. */
export const HOOKS = {
  hooks: ["message", "join", "invite"],
  rules: [{ name: "move", to: "room", kept: true }],
};

const BYTES = Buffer.from([0, 1, 255]);

/** `server` has the settings above, and `token.secret`. */
export function backendHooks(clientType, server, backEnd) {
  const { write, read } = bodyCodec(clientType);
  /** The calls of a kind about a room or a user. */
  const calls = (type, to) =>
    backEnd.calls
      .map(({ call }) => call)
      .filter((call) => call.type === type && Object.values(call.to)[0] === to);
  /** Answers calls of a kind about `to` like this, and accepts all others. */
  const decide = (type, to, answer) => {
    const before = backEnd.answerOf(type);
    backEnd.answer(type, (call, response) => {
      if (Object.values(call.to)[0] !== to) return before(call, response);
      return typeof answer === "function" ? answer(call, response) : answer;
    });
  };

  test("it may accept, change or refuse a message", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    assertOk(await ann.ask("send message", { room, msg: write({ a: BYTES }) }));
    const [{ connection, ...call }] = calls("message", room);
    assert.match(connection, /\.c[0-9a-f]+$/);
    assert.deepEqual(call, {
      type: "message",
      space: "/",
      room,
      user: { id: ann.name, guest: false, admin: false },
      to: { room },
      event: "send message",
      msg: { a: { base64: BYTES.toString("base64") } },
    });
    assert.deepEqual(read((await bob.next("new message")).msg), { a: BYTES });
    decide("message", room, ({ msg }) =>
      msg === "rude"
        ? { refuse: { code: "rude", message: "Be kind.", data: { word: 1 } } }
        : { msg: { was: msg, bytes: { base64: BYTES.toString("base64") } } },
    );
    const changed = { was: "hello", bytes: BYTES };
    assertOk(await ann.ask("GroupChat", { room, data: "hello" }));
    assert.equal(calls("message", room).at(-1).event, "GroupChat");
    assert.deepEqual(read((await bob.next("GroupChat")).data), changed);
    const refusal = { ok: false, code: "rude", message: "Be kind.", data: { word: 1 } };
    assert.deepEqual(await ann.ask("send message", { room, msg: "rude" }), refusal);
    const stored = await readHistory(ann, room);
    assert.deepEqual(
      stored.map(({ msg, data = msg }) => read(data)),
      [{ a: BYTES }, changed],
    );
  });

  test("it decides about direct messages", async (t) => {
    const ann = await joinAsUser(t, clientType, server, "ann");
    const bob = await joinAsUser(t, clientType, server, "bob");
    decide("message", bob.name, ({ msg }) => ({ msg: `${msg}!` }));
    assertOk(await ann.ask("SingleChat", { to: bob.name, data: "hi" }));
    const [call] = calls("message", bob.name);
    assert.deepEqual([call.event, call.to, call.msg], ["SingleChat", { user: bob.name }, "hi"]);
    assert.equal((await bob.next("SingleChat")).data, "hi!");
  });

  test("it decides about edits", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    assertOk(await ann.ask("send message", { room, msg: "first" }));
    decide("message", room, ({ msg }) =>
      msg === "rude" ? { refuse: { code: "rude" } } : { msg: 7 },
    );
    assertRefused(await bob.ask("edit message", { room, seq: 1, msg: "x" }), "forbidden");
    assertRefused(await ann.ask("edit message", { room, seq: 1, msg: "rude" }), "rude");
    assertOk(await ann.ask("edit message", { room, seq: 1, msg: "second" }));
    const [, ...edits] = calls("message", room).map(({ event, seq, msg }) => [event, seq, msg]);
    assert.deepEqual(edits, [
      ["edit message", 1, "rude"],
      ["edit message", 1, "second"],
    ]);
    assert.equal((await bob.next("message edited")).msg, 7);
    const [stored, ...edit] = await readHistory(ann, room);
    assert.deepEqual([stored.msg, edit.length], [7, 1]);
  });

  test("it decides about events that are kept", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    bob.listenTo("move");
    decide("message", room, ({ args: [, to] }) =>
      to === "off" ? { refuse: { code: "off_board" } } : { args: [{ room }, to.toUpperCase()] },
    );
    assertRefused(await ann.askWith("move", [{ room }, "off"]), "off_board");
    assertOk(await ann.askWith("move", [{ room }, "e4"]));
    const [, { event, args }] = calls("message", room);
    assert.deepEqual([event, args], ["move", [{ room }, "e4"]]);
    const [first, second, { seq }] = await bob.next("move");
    assert.deepEqual([first, second, seq], [{ room }, "E4", 1]);
  });

  test("it decides about the rooms that a connection enters by itself", async (t) => {
    const [open, closed] = [unique("open"), unique("closed")];
    decide("join", open, { role: "reader" });
    decide("join", closed, { refuse: { code: "full" } });
    decide("join", "lobby", ({ user }) =>
      user.id.startsWith("eve") ? { refuse: { code: "no" } } : {},
    );
    const roomsOf = ({ welcome }) => welcome.rooms.map(({ room, role }) => [room, role]);
    const bob = await joinAsUser(t, clientType, server, "bob", { room: open });
    assert.deepEqual(roomsOf(bob), [[open, "reader"]]);
    const eve = await joinAsUser(t, clientType, server, "eve", { room: closed });
    assert.deepEqual(roomsOf(eve), []);
    assertRefused(await eve.ask("send message", "x"), "not_member");
    assert.deepEqual(roomsOf(await joinAsUser(t, clientType, server, "eve")), []);
    const since = { [open]: 0, [closed]: 0 };
    const guest = await joinAsGuest(t, clientType, server, "guest", { since });
    assert.deepEqual(roomsOf(guest), [
      ["lobby", "member"],
      [open, "reader"],
    ]);
    const [{ user, role, event }] = calls("join", open);
    assert.deepEqual(
      [user, role, event],
      [{ id: bob.name, guest: false, admin: false }, undefined, undefined],
    );
    // Who is in the room already does not join it.
    const before = calls("join", open).length;
    const again = await connect(t, clientType, server, { room: open, token: bob.token });
    assert.deepEqual(roomsOf(await again.waitForWelcome(bob.token)), [[open, "reader"]]);
    assert.equal(calls("join", open).length, before);
  });

  test("nobody enters a room that it has not decided about", async (t) => {
    const room = unique("room");
    decide("join", room, (_, response) => void response.writeHead(500).end());
    const guest = await connect(t, clientType, server, { room });
    assertRefused(await guest.ask("new user", unique("guest")), "unavailable");
    decide("join", room, {});
    await guest.identify(unique("guest"));
    assertOk(await guest.ask("send message", "hello"));
  });

  test("it is not asked about what is refused anyway", async (t) => {
    const { room } = await ownerAndMember(t, clientType, server);
    const eve = await joinAsUser(t, clientType, server, "eve");
    assertRefused(await eve.ask("send message", { room, msg: "x" }), "not_member");
    const anonymous = await connect(t, clientType, server, { room });
    assertRefused(await anonymous.ask("send message", { room, msg: "x" }), "not_identified");
    assertRefused(await eve.ask("invite", { room, user: eve.name }), "not_member");
    assert.deepEqual([calls("message", room), calls("invite", room)], [[], []]);
  });

  test("it may accept, change or refuse who joins", async (t) => {
    const { room } = await ownerAndMember(t, clientType, server);
    const eve = (await joinAsUser(t, clientType, server, "eve")).listenTo("joined");
    decide("join", room, { refuse: { code: "full" } });
    assertRefused(await eve.ask("join", room), "full");
    const told = { event: "joined", args: [room], to: { user: eve.name } };
    decide("join", room, { role: "reader", do: [{ emit: told }] });
    assert.equal(assertOk(await eve.ask("join", room)).role, "reader");
    assert.deepEqual(await eve.next("joined"), [room]);
    assertRefused(await eve.ask("send message", { room, msg: "x" }), "read_only");
    const ofEve = () => calls("join", room).filter(({ user }) => user.id === eve.name).length;
    assert.equal(ofEve(), 2);
    // Who is in the room already does not join it.
    assertOk(await eve.ask("join", room));
    assert.equal(ofEve(), 2);
  });

  test("it may accept, change or refuse an invitation", async (t) => {
    const { room, ann } = await ownerAndMember(t, clientType, server);
    const eve = await joinAsUser(t, clientType, server, "eve");
    decide("invite", room, ({ role }) => (role === "admin" ? { refuse: { code: "no" } } : {}));
    assertRefused(await ann.ask("invite", { room, user: eve.name, role: "admin" }), "no");
    assert.equal(assertOk(await ann.ask("invite", { room, user: eve.name })).role, "member");
    const [first, second] = calls("invite", room);
    assert.deepEqual([first.invited, first.role, second.role], [eve.name, "admin", "member"]);
    decide("invite", room, { role: "reader" });
    assert.equal(assertOk(await ann.ask("invite", { room, user: eve.name })).role, "reader");
  });

  test("without an answer nothing is stored", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    decide("message", room, (_, response) => void response.writeHead(500).end());
    assertRefused(await ann.ask("send message", { room, msg: "lost" }), "unavailable");
    decide("message", room, { role: "admin" }); // no answer to a message
    assertRefused(await ann.ask("send message", { room, msg: "lost" }), "unavailable");
    decide("message", room, {});
    assert.equal(assertOk(await ann.ask("send message", { room, msg: "kept" })).seq, 1);
    assert.equal((await bob.next("new message")).msg, "kept");
  });
}
