// Connections that a back end decides about. docs/backend.md "Connections".

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk, assertRefused } from "../support/assert.mjs";
import { connect, joinAsGuest, joinAsUser } from "../support/fixtures.mjs";
import { epochSeconds } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";

/** What the server needs besides the address of the back end. */
export const CONNECT_HOOK = { hooks: ["connect"], headers: ["Cookie", "X-Kind"] };

/** `server` has the settings above, and `token.secret`. */
export function backendConnect(clientType, server, backEnd) {
  /** The sessions of the application, by their cookie. */
  const sessions = new Map();
  const bySession = ({ headers }) => sessions.get(headers.cookie) ?? {};
  /** The options of a client with a session for which the back end answers so. */
  const withSession = (answer) => {
    const cookie = `session=${unique("id")}`;
    sessions.set(cookie, answer);
    backEnd.answer("connect", bySession);
    return { headers: { Cookie: cookie, "X-Kind": "test", "X-Other": "secret" } };
  };

  test("a session cookie is enough to be a user", async (t) => {
    const user = unique("ann");
    const options = withSession({ identity: { user, name: "Ann", admin: true } });
    const ann = await connect(t, clientType, server, options);
    await ann.waitForWelcome();
    assert.deepEqual([ann.name, ann.welcome.name, ann.welcome.admin], [user, "Ann", true]);
    assert.equal(ann.welcome.token, undefined);
    const left = Date.parse(ann.welcome.expiresAt) - Date.now();
    assert.ok(Math.abs(left - 24 * 3600 * 1000) < 120_000, `${left} ms`);
    assertOk(await ann.ask("send message", "hello"));
    const guest = await connect(t, clientType, server);
    assertRefused(await guest.ask("new user", user), "name_taken");
  });

  test("it receives the handshake", async (t) => {
    const options = withSession({ identity: { user: unique("ann") } });
    const query = { a: "1", b: "ü &" };
    const auth = { mine: [1] };
    const legacy = clientType.legacy || clientType.wire === "ws";
    const extra = legacy ? {} : { extra: { auth } };
    const ann = await connect(t, clientType, server, { ...options, query, ...extra });
    await ann.waitForWelcome();
    const { cookie } = Object.fromEntries(
      Object.entries(options.headers).map(([name, value]) => [name.toLowerCase(), value]),
    );
    const { call } = backEnd.calls.find((it) => it.call.headers?.cookie === cookie);
    assert.deepEqual(call, {
      type: "connect",
      space: "/",
      connection: `${ann.welcome.node}.${ann.welcome.connection}`,
      address: "127.0.0.1",
      headers: { cookie, "x-kind": "test" },
      query,
      auth: legacy ? null : auth,
    });
  });

  test("rooms, roles and the end are as in a token", async (t) => {
    const expiresAt = epochSeconds(600);
    const identity = {
      user: unique("ann"),
      rooms: { "news-*": "reader", lobby: "member" },
      expiresAt,
    };
    const ann = await connect(t, clientType, server, withSession({ identity }));
    await ann.waitForWelcome();
    assert.equal(Date.parse(ann.welcome.expiresAt), expiresAt * 1000);
    const news = unique("news-room");
    assert.equal(assertOk(await ann.ask("join", news)).role, "reader");
    assertRefused(await ann.ask("send message", { room: news, msg: "x" }), "read_only");
    assertRefused(await ann.ask("join", unique("other")), "room_forbidden");
  });

  test("a user may be for some spaces alone", async (t) => {
    const identity = { user: unique("ann"), spaces: ["/shop", "/news*"] };
    assert.equal(await clientType.refusal(server, withSession({ identity })), "space_forbidden");
    const here = { ...identity, spaces: ["/"] };
    const ann = await connect(t, clientType, server, withSession({ identity: here }));
    await ann.waitForWelcome();
  });

  test("who is not named is a guest, or whoever a token names", async (t) => {
    backEnd.answer("connect", bySession);
    const guest = await joinAsGuest(t, clientType, server, "guest");
    assertOk(await guest.ask("send message", "hello"));
    const user = await joinAsUser(t, clientType, server, "user");
    assertOk(await user.ask("send message", "hello"));
  });

  test("it keeps data with the connection, and has things done", async (t) => {
    const [user, room, event] = [unique("ann"), unique("room"), unique("event")];
    const data = { plan: "gold", numbers: [1, 2] };
    const options = withSession({ identity: { user }, data, do: [{ join: { room } }] });
    const ann = await connect(t, clientType, server, options);
    await ann.waitForWelcome();
    await ann.next("membership", (it) => it.room === room);
    assertOk(await ann.ask("send message", { room, msg: "hello" }));
    assertOk(await ann.askWith(event, []));
    const { call } = backEnd.calls.find((it) => it.call.event === event);
    assert.deepEqual(call.data, data);
  });

  test("it emits to the connection, under the name of a request", async (t) => {
    backEnd.answer("connect", ({ connection }) => ({
      do: [{ emit: { event: "auth", args: [connection], to: { connection } } }],
    }));
    const [ann, bob] = [await connect(t, clientType, server), await connect(t, clientType, server)];
    const addresses = [];
    for (const it of [ann, bob]) {
      const event = unique("event");
      assertOk(await it.askWith(event, []));
      const { call } = backEnd.calls.find((it) => it.call.event === event);
      addresses.push(call.connection);
    }
    assert.notEqual(addresses[0], addresses[1]);
    // On Socket.IO the echo among the examples shows what arrives: events may precede a listener.
    if (clientType.wire !== "ws") return;
    assert.deepEqual(await ann.next("auth"), [addresses[0]]);
    assert.deepEqual(await bob.next("auth"), [addresses[1]]);
    assert.deepEqual([ann.take("auth"), bob.take("auth")], [[], []]);
  });

  test("a refusal has the message and the data of the back end", async () => {
    const data = { login: "/login" };
    const refuse = { code: "no_session", message: "Please sign in.", data };
    const options = withSession({ refuse });
    if (clientType.wire === "ws") {
      const { status, body } = await clientType.refusalAnswer(server, options);
      return assert.deepEqual([status, body], [403, refuse]);
    }
    const error = await clientType.connectError(server, options);
    // Clients before 3.x receive the data or, without any, the message.
    if (clientType.legacy) assert.deepEqual(error, data);
    else assert.deepEqual([error.message, error.data], [refuse.message, data]);
    const short = withSession({ refuse: { code: "no_session" } });
    const { message, data: rest } = await clientType.connectError(server, short);
    assert.equal(message, "no_session");
    if (!clientType.legacy) assert.deepEqual(rest, { code: "no_session", message: "no_session" });
  });

  test("without an answer nobody is accepted", async (t) => {
    const options = withSession({ identity: { user: "" } });
    assert.equal(await clientType.refusal(server, options), "unavailable");
    const again = withSession({ identity: { user: unique("ann") } });
    const ann = await connect(t, clientType, server, again);
    await ann.waitForWelcome();
  });
}
