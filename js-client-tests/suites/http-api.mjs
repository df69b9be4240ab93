// What back ends ask for over HTTP. docs/api.md.

import assert from "node:assert/strict";
import { test } from "node:test";

import { askApi, callApi } from "../support/api.mjs";
import { assertOk, assertRefused } from "../support/assert.mjs";
import { connect, joinAsUser, ownerAndMember } from "../support/fixtures.mjs";
import { readHistory } from "../support/history.mjs";
import { unique } from "../support/unique.mjs";
import { addressOf } from "./ask.mjs";
import { bodyCodec } from "./binary.mjs";

const BYTES = Buffer.from([0, 1, 255]);
const BASE64 = { base64: BYTES.toString("base64") };

/** `server` has the settings of support/api.mjs, and `token.secret`. */
export function httpApi(clientType, server) {
  const { read, write } = bodyCodec(clientType);
  const ask = async (route, ...parameters) => {
    const answer = await askApi(server, `${route}?${new URLSearchParams(parameters)}`);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer.body;
  };
  const call = async (route, body) => {
    const answer = await callApi(server, route, body);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer.body.results;
  };

  test("an event reaches a room, a user, and a space", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    const eve = await joinAsUser(t, clientType, server, "eve");
    for (const client of [ann, bob, eve]) client.listenTo("tick");
    const args = [room, { bytes: BASE64 }, null];
    const results = await call("emit", {
      items: [
        { event: "tick", args, to: { room } },
        { event: "tick", args: [room, 2], to: { user: eve.name } },
        { event: "tick", args: [room, 3], to: { space: true } },
      ],
    });
    assert.deepEqual(results, [{ ok: true }, { ok: true }, { ok: true }]);
    // Nodes keep the order of the events to one target alone.
    const about = (value) => (it) => it[0] === room && it[1] === value;
    for (const client of [ann, bob]) {
      const [first, bytes, last] = await client.next("tick", (it) => it.length === 3);
      assert.deepEqual([first, read(bytes), last], [room, { bytes: BYTES }, null]);
    }
    await eve.next("tick", about(2));
    for (const client of [ann, bob, eve]) {
      await client.next("tick", about(3));
      assert.deepEqual(
        client.take("tick").filter(([first]) => first === room),
        [],
      );
    }
  });

  test("messages are stored in order, and once for each id", async (t) => {
    const { room, bob } = await ownerAndMember(t, clientType, server);
    const user = unique("shop");
    const id = unique("id");
    const texts = Array.from({ length: 100 }, (_, number) => `message ${number}`);
    const items = texts.map((msg) => ({ room, msg }));
    const results = await call("messages", { user, items });
    const [first] = results;
    assert.deepEqual(
      results.map(({ ok, seq }) => [ok, seq]),
      texts.map((_, number) => [true, first.seq + number]),
    );
    assert.ok(results.every(({ id, at }) => id && Date.parse(at)));
    const received = await bob.collect("new message", texts.length);
    assert.deepEqual(
      received.map(({ username, msg, seq }) => [username, msg, seq]),
      texts.map((msg, number) => [user, msg, first.seq + number]),
    );
    const twice = { room, user: bob.name, msg: { bytes: BASE64 }, id };
    const [stored] = await call("messages", { items: [twice] });
    const [again] = await call("messages", { items: [twice] });
    assert.deepEqual(again, { ...stored, duplicate: true });
    const [other] = await call("messages", { items: [{ ...twice, msg: "other" }] });
    assertRefused(other, "conflict");
    const last = (await readHistory(bob, room)).at(-1);
    assert.deepEqual(
      [last.seq, last.username, read(last.msg)],
      [stored.seq, bob.name, { bytes: BYTES }],
    );
  });

  test("an event that is kept is stored once, and whoever returns gets it", async (t) => {
    const { room, bob } = await ownerAndMember(t, clientType, server);
    bob.listenTo("order:created");
    const [id, user] = [unique("id"), unique("shop")];
    const item = { event: "order:created", args: [7], to: { room }, kept: true, id };
    const [stored] = await call("emit", { user, items: [item] });
    assert.deepEqual(await call("emit", { user, items: [item] }), [{ ...stored, duplicate: true }]);
    const [number, entry] = await bob.next("order:created");
    assert.deepEqual([number, entry.seq, entry.id, entry.user], [7, stored.seq, id, user]);
    const last = (await readHistory(bob, room)).at(-1);
    assert.deepEqual([last.event, last.args, last.seq], ["order:created", [7], stored.seq]);
  });

  test("an event to a user, a connection or a space spares the exception", async (t) => {
    const ann = await joinAsUser(t, clientType, server, "ann");
    const again = await connect(t, clientType, server, { token: ann.token });
    await again.waitForWelcome();
    for (const client of [ann, again]) client.listenTo("tick");
    const [except, marker] = [addressOf(ann), unique("tick")];
    const targets = [{ user: ann.name }, { connection: except }, { space: true }];
    for (const [number, to] of targets.entries()) {
      const item = { event: "tick", args: [marker, number], to };
      const items = [
        { ...item, except },
        { ...item, args: [marker, "end"] },
      ];
      assert.deepEqual(await call("emit", { items }), [{ ok: true }, { ok: true }]);
      const receivers = to.connection ? [ann] : [ann, again];
      for (const client of receivers) {
        await client.next("tick", (it) => it[0] === marker && it[1] === "end");
      }
    }
    const received = (client) => client.take("tick").filter(([it]) => it === marker);
    assert.deepEqual(received(ann), []);
    assert.deepEqual(received(again), [
      [marker, 0],
      [marker, 2],
    ]);
    const kept = { event: "tick", to: { room: "lobby" }, except, kept: true };
    const { status, body } = await callApi(server, "emit", { user: ann.name, items: [kept] });
    assert.deepEqual([status, body.code], [400, "bad_request"]);
  });

  test("a notification waits for its user", async (t) => {
    const ann = await joinAsUser(t, clientType, server, "ann");
    const user = unique("shop");
    const items = [
      { to: ann.name, data: { order: 7 } },
      { to: unique("nobody"), data: "x" },
    ];
    const [stored, refused] = await call("notifications", { user, items });
    assertRefused(refused, "no_such_user");
    const { seq, user: from, data } = await ann.next("notification");
    assert.deepEqual([seq, from, data], [stored.seq, user, { order: 7 }]);
  });

  test("it reads the history of rooms, direct conversations and inboxes", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    for (const msg of ["one", "two", write({ bytes: BYTES })]) {
      assertOk(await ann.ask("send message", { room, msg }));
    }
    const all = await ask("history", ["room", room]);
    assert.deepEqual(
      all.messages.map(({ seq, msg }) => [seq, msg]),
      [
        [1, "one"],
        [2, "two"],
        [3, { bytes: BASE64 }],
      ],
    );
    const part = await ask("history", ["room", room], ["before", "3"], ["limit", "1"]);
    assert.deepEqual([part.messages.map(({ seq }) => seq), part.more], [[2], true]);
    assertOk(await ann.ask("SingleChat", { to: bob.name, data: "psst" }));
    const direct = await ask("history", ["direct", bob.name], ["direct", ann.name]);
    assert.deepEqual(
      direct.messages.map(({ data }) => data),
      ["psst"],
    );
    await call("notifications", { user: "shop", items: [{ to: ann.name, data: 7 }] });
    const inbox = await ask("history", ["inbox", ann.name]);
    assert.deepEqual(
      inbox.messages.map(({ data }) => data),
      [7],
    );
    assert.deepEqual(await ask("history", ["room", unique("empty")]), {
      messages: [],
      more: false,
    });
  });

  test("it reads who is online", async (t) => {
    const ann = await joinAsUser(t, clientType, server, "ann");
    const nobody = unique("nobody");
    const { users } = await ask("presence", ["user", ann.name], ["user", nobody]);
    const [first, second] = users;
    assert.deepEqual([first.user, first.online, first.devices], [ann.name, true, 1]);
    assert.deepEqual(second, { user: nobody, online: false, devices: 0 });
  });

  test("actions of all kinds happen in their order", async (t) => {
    const { room, ann } = await ownerAndMember(t, clientType, server);
    const eve = (await joinAsUser(t, clientType, server, "eve")).listenTo("hello");
    const user = eve.name;
    assert.deepEqual(await call("actions", { do: [{ join: { room, user } }] }), [{ ok: true }]);
    // Another node may learn of the member after an event that passes by.
    await eve.next("membership", (it) => it.room === room);
    const results = await call("actions", {
      do: [
        { emit: { event: "hello", args: [room], to: { room } } },
        { message: { room, user, msg: "I am here" } },
        { kick: { room, user } },
        { leave: { room, user: unique("nobody") } },
      ],
    });
    assert.deepEqual(
      results.map(({ ok, code }) => code ?? ok),
      [true, true, true, "no_such_user"],
    );
    assert.deepEqual(await eve.next("hello"), [room]);
    assert.equal((await ann.next("new message")).msg, "I am here");
    assertRefused(await eve.ask("send message", { room, msg: "still here?" }), "not_member");
  });

  test("a user is disconnected", async (t) => {
    const ann = await joinAsUser(t, clientType, server, "ann");
    const [result] = await call("actions", { do: [{ disconnect: { user: ann.name } }] });
    assertOk(result);
    assert.equal((await ann.next("closing")).code, "disconnected");
    await ann.closed;
  });

  test("a space is a world of its own", async (t) => {
    const room = unique("room");
    const options = { room, space: "/shop" };
    const inShop = (await connect(t, clientType, server, options)).listenTo("tick");
    await inShop.identify(unique("ann"));
    const items = [{ event: "tick", args: [1], to: { room } }];
    assert.deepEqual(await call("emit", { items }), [{ ok: true }]);
    const inner = [{ ...items[0], args: [2] }];
    assert.deepEqual(await call("emit", { space: "/shop", items: inner }), [{ ok: true }]);
    assert.deepEqual(await inShop.next("tick"), [2]);
  });

  test("a connection of another space is none", async (t) => {
    const ann = (await joinAsUser(t, clientType, server, "ann")).listenTo("tick");
    const connection = addressOf(ann);
    const emit = (value) => ({ emit: { event: "tick", args: [value], to: { connection } } });
    const inShop = [emit(1), { disconnect: { connection } }];
    const nothing = await callApi(server, "actions", { space: "/shop", do: inShop });
    assert.deepEqual(nothing.body.results, [{ ok: true }, { ok: true }]);
    // What follows on the way between nodes comes after what did not happen.
    assert.deepEqual(await call("actions", { do: [emit(2)] }), [{ ok: true }]);
    assert.deepEqual(await ann.next("tick"), [2]);
    assert.deepEqual(await call("actions", { do: [{ disconnect: { connection } }] }), [
      { ok: true },
    ]);
    assert.equal((await ann.next("closing")).code, "disconnected");
  });
}
