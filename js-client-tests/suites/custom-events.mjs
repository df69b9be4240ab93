// Events of the application, as the rules in the settings say. docs/protocol.md "Your own events".

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertErrorEvent, assertOk, assertRecentTime, assertRefused } from "../support/assert.mjs";
import {
  barrier,
  connectAnonymously,
  connectWithToken,
  joinAsGuest,
  joinAsUser,
  ownerAndMember,
} from "../support/fixtures.mjs";
import { readHistory } from "../support/history.mjs";
import { SERVER_EVENTS } from "../support/server-events.mjs";
import { SECRET } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { bodyCodec } from "./binary.mjs";

/** The space in which every event has a rule. */
const EVERY_EVENT = "/every-event";
/** One rule for each kind, and one that matches whatever the others leave. */
export const EVENT_SETTINGS = {
  events: [
    { name: "to:room", to: "room", room_field: "room" },
    { name: "to:user", to: "user", to_field: "user" },
    { name: "to:nobody", to: "nobody" },
    { name: "keep", to: "room", room_field: "room", id_field: "id", kept: true },
    { name: "keep:others", to: "others", kept: true },
    { name: "admins", to: "others", room_field: "room", roles: "admin" },
    { name: "readers", to: "others", room_field: "room", roles: "reader" },
    { name: "slowly", to: "nobody", per_second_max: 1, burst_max: 2 },
    { name: "offered", to: "others", volatile: true },
    { name: "other-space", to: "others", space: "/other-space" },
    { name: "any:*", to: "others" },
    { name: "*", to: "others", space: EVERY_EVENT },
  ],
  spaces: [EVERY_EVENT],
  "rooms.read_only": ["news-*"],
  "token.secret": SECRET,
};

const BYTES = Buffer.from([0, 1, 254, 255]);

/** Lists of arguments that must arrive as they were sent. */
const argumentsWith = (number) => [
  [],
  [null],
  [1, "two", false, null, [], {}],
  [{ deep: [{ er: { a: 1, b: [null, 0.5, number] } }] }, 'ü\u2028\0\\"', 2 ** 53 - 1],
  [BYTES],
  [{ a: BYTES, b: [BYTES.subarray(1), 7] }, Buffer.alloc(0), "end"],
];

/** `server` has the settings above. */
export function customEvents(clientType, server) {
  const { write, read } = bodyCodec(clientType);
  // Of integers from 2^64 on, `socket.io-msgpack-parser` writes other bytes.
  const lists = argumentsWith(clientType.parser ? -(2 ** 60) : -1e21);
  const text = (args) => args.map((it) => (typeof it === "string" ? clientType.text(it) : it));

  test("the others in the room receive the same arguments, the sender does not", async (t) => {
    const room = unique("room");
    const [ann, bob] = await two(t, clientType, server, room, "any:thing");
    for (const args of lists.map(text)) {
      assert.deepEqual(await ann.askWith("any:thing", args.map(write)), { ok: true });
      assert.deepEqual((await bob.next("any:thing")).map(read), args);
    }
    await barrier(bob, room, ann);
    assert.deepEqual(ann.take("any:thing"), []);
  });

  test("they arrive in order, also without an acknowledgement", async (t) => {
    const [ann, bob] = await two(t, clientType, server, unique("room"), "any:count");
    const numbers = Array.from({ length: 200 }, (_, n) => [n]);
    for (const args of numbers) ann.emitWith("any:count", args);
    assert.deepEqual(await bob.collect("any:count", 200), numbers);
  });

  test("`room` sends to all of a room, which the first argument may name", async (t) => {
    const [own, room] = [unique("own"), unique("room")];
    const [ann, bob] = await two(t, clientType, server, room, "to:room");
    const eve = (await joinAsGuest(t, clientType, server, "eve", { room: own })).listenTo(
      "to:room",
    );
    assertRefused(await eve.askWith("to:room", [{ room }]), "not_member");
    assertOk(await eve.ask("join", room));
    assertOk(await eve.askWith("to:room", [{ room, n: 1 }, 2]));
    for (const it of [ann, bob, eve]) {
      assert.deepEqual(await it.next("to:room"), [{ room, n: 1 }, 2]);
    }
    for (const args of [[], [{}], [{ room: null }], ["text"], [[room]]]) {
      assertOk(await eve.askWith("to:room", args));
      assert.deepEqual(await eve.next("to:room"), args);
    }
    await barrier(eve, room, ann);
    assert.deepEqual(ann.take("to:room"), []);
    for (const bad of [7, "", {}, "x".repeat(65)]) {
      assertRefused(await eve.askWith("to:room", [{ room: bad }]), "room_invalid");
    }
  });

  test("`user` sends to all connections of a user", async (t) => {
    const ann = await joinAsGuest(t, clientType, server, "ann");
    const bob = (await joinAsUser(t, clientType, server, "bob")).listenTo("to:user");
    const phone = await connectWithToken(t, clientType, server, bob.token);
    phone.listenTo("to:user");
    const args = [{ user: bob.name, x: write(BYTES) }, 1];
    assert.deepEqual(await ann.askWith("to:user", args), { ok: true });
    for (const it of [bob, phone]) {
      assert.deepEqual(read((await it.next("to:user"))[0].x), BYTES);
    }
    for (const user of [unique("nobody"), "", 7, undefined]) {
      assertRefused(await ann.askWith("to:user", [{ user }]), "no_such_user");
    }
  });

  test("`nobody` receives an event that is acknowledged", async (t) => {
    const [ann, bob] = await two(t, clientType, server, unique("room"), "to:nobody", "any:next");
    assert.deepEqual(await ann.askWith("to:nobody", [1]), { ok: true });
    assertOk(await ann.askWith("any:next", []));
    await bob.next("any:next");
    assert.deepEqual(bob.take("to:nobody"), []);
  });

  test("a kept event is an entry of the log", async (t) => {
    const room = unique("room");
    const [ann, bob] = await two(t, clientType, server, room, "keep");
    const first = { room, id: unique("id"), bytes: BYTES };
    const answer = assertOk(await ann.askWith("keep", [write(first), 2]));
    assert.deepEqual(Object.keys(answer).sort(), ["at", "id", "ok", "room", "seq"]);
    assertRecentTime(answer.at);
    const kept = { room, seq: 1, id: first.id, user: ann.name, at: answer.at };
    for (const it of [ann, bob]) {
      assert.deepEqual((await it.next("keep")).map(read), [first, 2, kept]);
    }
    assert.equal(assertOk(await ann.ask("send message", { room, msg: "hi" })).seq, 2);
    const again = await ann.askWith("keep", [write(first), 2]);
    assert.deepEqual(again, { ...answer, duplicate: true });
    assertRefused(await ann.askWith("keep", [write(first), 3]), "conflict");
    const entry = { event: "keep", ...kept, args: [first, 2] };
    const [stored, message] = await readHistory(bob, room);
    assert.deepEqual({ ...stored, args: stored.args.map(read) }, entry);
    assert.equal(message.msg, "hi");
    const since = { [room]: 0 };
    const back = await connectWithToken(t, clientType, server, bob.token, { room, since });
    const { messages } = await back.next("missed");
    assert.deepEqual({ ...messages[0], args: messages[0].args.map(read) }, entry);
    assert.equal(back.welcome.rooms.find((it) => it.room === room).unread, 2);
  });

  test("a kept event for the others has an answer for its sender", async (t) => {
    const room = unique("room");
    const [ann, bob] = await two(t, clientType, server, room, "keep:others");
    const { id, seq, at } = assertOk(await ann.askWith("keep:others", ["x"]));
    const kept = { room, seq, id, user: ann.name, at };
    assert.deepEqual(await bob.next("keep:others"), ["x", kept]);
    await barrier(bob, room, ann);
    assert.deepEqual(ann.take("keep:others"), []);
  });

  test("a kept event is deleted as a message is, and cannot be edited", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    const { seq, id } = assertOk(await bob.askWith("keep", [{ room, secret: 1 }]));
    assertRefused(await bob.ask("edit message", { room, seq, msg: "x" }), "no_such_message");
    assertOk(await ann.ask("delete message", { room, seq }));
    const { of } = await bob.next("message deleted");
    assert.equal(of, seq);
    const [deleted] = await readHistory(bob, room);
    const { at, ...rest } = deleted;
    assertRecentTime(at);
    assert.deepEqual(rest, { event: "keep", room, seq, id, user: bob.name, deleted: true });
  });

  test("roles decide who may send", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    ann.listenTo("admins");
    bob.listenTo("admins");
    assertRefused(await bob.askWith("admins", [{ room }]), "forbidden");
    assertOk(await ann.askWith("admins", [{ room }]));
    assert.deepEqual(await bob.next("admins"), [{ room }]);
    const news = unique("news-room");
    assertOk(await ann.ask("join", news));
    assertRefused(await ann.askWith("to:room", [{ room: news }]), "read_only");
    assertRefused(await ann.askWith("keep", [{ room: news }]), "read_only");
    assertOk(await ann.askWith("readers", [{ room: news }]));
  });

  test("a rule may have a pace of its own", async (t) => {
    const ann = await joinAsGuest(t, clientType, server, "ann");
    const answers = [];
    for (let n = 0; n < 3; n += 1) answers.push(ann.requestWith("slowly", []));
    const [first, second, third] = await Promise.all(answers);
    assertOk(first);
    assertOk(second);
    assertRefused(third, "too_fast");
    assert.ok(third.retryAfterMs > 0 && third.retryAfterMs <= 1000, `${third.retryAfterMs} ms`);
    assertOk(await ann.askWith("to:nobody", []));
  });

  test("an event without a rule is refused, and the message names the setting", async (t) => {
    const room = unique("room");
    const [ann, bob] = await two(t, clientType, server, room, "other-space");
    for (const event of ["other-space", "to:", "any", "x".repeat(129)]) {
      const refusal = await ann.askWith(event, [1]);
      assertRefused(refusal, "unknown_event");
      assert.match(refusal.message, /`events`/);
    }
    ann.emitWith("other-space", []);
    assertErrorEvent(await ann.next("error message"), "other-space", "unknown_event");
    await barrier(ann, room, bob);
    assert.deepEqual(bob.take("other-space"), []);
  });

  test("limits of bodies apply to the arguments together", async (t) => {
    const room = unique("room");
    const [ann, bob] = await two(t, clientType, server, room, "any:size");
    const most = ann.welcome.limits.bodyBytesMax;
    const half = "x".repeat(most / 2 - 4); // with `["` and `"]`, and `","` between
    const args = [half, `${half}x`];
    assertOk(await ann.askWith("any:size", args));
    assert.deepEqual(await bob.next("any:size"), args);
    assertRefused(await ann.askWith("any:size", [half, `${half}xx`]), "message_too_large");
    const eleven = Array.from({ length: 11 }, () => write(BYTES));
    // A Socket.IO packet with more than ten ends its session.
    if (clientType.wire === "ws")
      assertRefused(await ann.askWith("any:size", eleven), "too_many_attachments");
    const deep = JSON.parse("[".repeat(65) + "]".repeat(65));
    assertRefused(await ann.askWith("any:size", [1, deep]), "bad_request");
    await barrier(ann, room, bob);
    assert.deepEqual(bob.take("any:size"), []);
  });

  test("a connection without a name receives and sends what passes by in its room", async (t) => {
    const room = unique("room");
    const enter = async () => {
      const client = await connectAnonymously(t, clientType, server, { room });
      return client.listenTo("any:line", "to:room");
    };
    const [anonymous, other] = [await enter(), await enter()];
    assert.deepEqual(await anonymous.askWith("any:line", [1]), { ok: true });
    assert.deepEqual(await other.next("any:line"), [1]);
    const bob = (await joinAsGuest(t, clientType, server, "bob", { room })).listenTo("any:line");
    assertOk(await bob.askWith("any:line", [2]));
    for (const it of [anonymous, other]) assert.deepEqual(await it.next("any:line"), [2]);
    assertOk(await other.askWith("any:line", [3]));
    for (const it of [anonymous, bob]) assert.deepEqual(await it.next("any:line"), [3]);
    assertRefused(await other.askWith("keep", [{ room }]), "not_identified");
    assertRefused(await other.askWith("to:user", [{ user: bob.name }]), "not_identified");
    assertRefused(await other.askWith("to:room", [{ room: unique("x") }]), "not_identified");
    assertRefused(await other.askWith("admins", [{ room }]), "forbidden");
    // With a name it receives each event once.
    await other.identify(unique("eve"));
    assertOk(await bob.askWith("any:line", [4]));
    assertOk(await other.askWith("to:room", []));
    assert.deepEqual(await other.next("any:line"), [4]);
    await other.next("to:room");
    assert.deepEqual(other.take("any:line"), []);
    assert.deepEqual(anonymous.take("new message"), []);
  });

  test("nobody forges an event of the server", async (t) => {
    const [room, space] = [unique("room"), EVERY_EVENT];
    const ann = await joinAsGuest(t, clientType, server, "ann", { room, space });
    const bob = await joinAsGuest(t, clientType, server, "bob", { room, space });
    assertOk(await ann.askWith("no event of the server", []));
    const requests = [
      "GroupChat",
      "SingleChat",
      "GroupList",
      "presence",
      "read",
      "typing",
      "history",
      "topic",
    ];
    for (const event of SERVER_EVENTS.filter((it) => !requests.includes(it))) {
      assertRefused(await ann.askWith(event, [{ room }]), "unknown_event");
    }
    await barrier(ann, room, bob);
  });
}

/** Two guests in a room who receive these events. */
async function two(t, clientType, server, room, ...events) {
  const ann = await joinAsGuest(t, clientType, server, "ann", { room });
  const bob = await joinAsGuest(t, clientType, server, "bob", { room });
  return [ann.listenTo(...events), bob.listenTo(...events)];
}
