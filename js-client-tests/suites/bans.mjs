// Bans, revocations and disconnects by the HTTP API. docs/api.md.

import assert from "node:assert/strict";
import { test } from "node:test";

import { askApi, callApi, deleteByApi } from "../support/api.mjs";
import { assertClosedForGood, assertOk, assertRefused } from "../support/assert.mjs";
import { createSession, getSession, signIn } from "../support/cookie-session.mjs";
import { barrier, connect, connectWithToken, joinAsGuest } from "../support/fixtures.mjs";
import { readPages } from "../support/pages.mjs";
import { withTimeout } from "../support/timeouts.mjs";
import { epochSeconds, signToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const HOUR_MS = 3_600_000;

/** A second, and what a busy machine takes to receive it. */
const EFFECT_MS_MAX = 3000;

/** `server` has the settings of support/api.mjs, and `token.secret`. */
export function bans(clientType, server) {
  const call = async (route, body) => {
    const answer = await callApi(server, route, body);
    assert.deepEqual([answer.status, answer.body], [200, { ok: true }]);
    await server.settle?.();
  };
  const ban = (user, more = {}) => call("bans", { user, ...more });
  const end = async (question) => {
    const answer = await deleteByApi(server, question);
    assert.deepEqual([answer.status, answer.body], [200, { ok: true }]);
    await server.settle?.();
  };
  const unban = (user, space = "/") => end(`bans?${new URLSearchParams({ user, space })}`);
  const disconnect = async (target) => {
    const answer = await callApi(server, "actions", { do: [{ disconnect: target }] });
    assert.deepEqual([answer.status, answer.body], [200, { results: [{ ok: true }] }]);
  };
  const tokenOf = (sub, claims = {}) =>
    signToken(server, { sub, exp: epochSeconds(600), iat: epochSeconds(-60), ...claims });
  /** Connections of one token: on several nodes, if there are several. */
  const connectTwice = async (t, token, options) => [
    await connectWithToken(t, clientType, server, token, options),
    await connectWithToken(t, clientType, server, token, options),
  ];

  test("a banned user is disconnected everywhere, and comes in after the ban alone", async (t) => {
    const [room, name] = [unique("room"), unique("ann")];
    const token = await tokenOf(name);
    const anns = await connectTwice(t, token, { room });
    const bob = await connectWithToken(t, clientType, server, await tokenOf(unique("bob")), {
      room,
    });
    const until = new Date(Date.now() + HOUR_MS).toISOString();
    const closed = Promise.all(anns.map((it) => closedAsBanned(it, until)));
    const begun = Date.now();
    await callApi(server, "bans", { user: name, until, reason: "spam" });
    await closed;
    assert.ok(Date.now() - begun < EFFECT_MS_MAX, `closed after ${Date.now() - begun} ms`);
    await barrier(bob, room, bob);
    assert.deepEqual(bob.take("closing"), []);
    for (let n = 0; n < 2; n += 1) await assertBanned({ token }, until);
    assert.equal((await createSession(server, { token })).body.code, "banned");
    await unban(name);
    for (const it of await connectTwice(t, token, { room })) assert.equal(it.name, name);
  });

  test("a ban is of a space, and for good without an end", async (t) => {
    const name = unique("ann");
    const token = await tokenOf(name);
    const inShop = await connectWithToken(t, clientType, server, token, { space: "/shop" });
    const [here] = await connectTwice(t, token);
    await ban(name);
    await closedAsBanned(here, undefined);
    await assertBanned({ token }, undefined);
    assertOk(await inShop.ask("GroupList", {}));
    await call("bans", { user: name, space: "/shop" });
    await assertClosedForGood(inShop, "banned", 4504);
  });

  test("a ban from all spaces holds in each, beside those of single ones", async (t) => {
    const name = unique("ann");
    const token = await tokenOf(name);
    const spaces = ["/", "/shop"];
    const opened = [];
    for (const space of spaces) {
      opened.push(await connectWithToken(t, clientType, server, token, { space }));
    }
    const until = new Date(Date.now() + HOUR_MS).toISOString();
    const closed = Promise.all(opened.map((it) => closedAsBanned(it, until)));
    await call("bans", { user: name, space: "*", until });
    await closed;
    for (const space of [...spaces, ...spaces]) await assertBanned({ token, space }, until);
    const listed = async (query) => {
      const { body } = await askApi(server, `bans?${new URLSearchParams(query)}&limit=1000`);
      return body.bans.some(({ user }) => user === name);
    };
    assert.deepEqual(
      [await listed({ space: "*" }), await listed({ space: "/" })],
      [true, false],
      "it is in the list of all spaces",
    );
    await ban(name, { space: "/shop", until });
    await unban(name, "/");
    await assertBanned({ token }, until);
    await unban(name, "*");
    const [back] = await connectTwice(t, token);
    assert.equal(back.name, name);
    await assertBanned({ token, space: "/shop" }, until);
  });

  test("a ban keeps out guests whose names look like it, and sessions of theirs", async (t) => {
    const name = unique("ann");
    const guest = await joinAsGuest(t, clientType, server, "eve");
    await ban(guest.name.toUpperCase());
    await closedAsBanned(guest, undefined);
    await ban(name);
    const other = await connect(t, clientType, server);
    const refused = await other.ask("new user", name.toUpperCase());
    assertRefused(refused, "banned");
    assert.equal((await createSession(server, { name })).status, 403);
    const token = await tokenOf(name.toUpperCase());
    const user = await connectWithToken(t, clientType, server, token);
    assert.equal(user.name, name.toUpperCase(), "users are compared exactly");
  });

  test("a back end may write in the name of a banned user", async (t) => {
    const [room, name] = [unique("room"), unique("ann")];
    const bob = await connectWithToken(t, clientType, server, await tokenOf(unique("bob")), {
      room,
    });
    await ban(name);
    const items = [{ room, user: name, msg: "bye" }];
    const { body } = await callApi(server, "messages", { items });
    assertOk(body.results[0]);
    assert.equal((await bob.next("new message")).username, name);
  });

  test("the bans of a space are listed in pages", async () => {
    const base = unique("a");
    const names = ["a", "b", "c"].map((it) => `${base}-${it}`);
    const until = new Date(Date.now() + HOUR_MS).toISOString();
    for (const user of names) await call("bans", { space: "/shop", user, until, reason: user });
    await call("bans", { space: "/shop", user: names[1] });
    const list = [];
    for (let after = base; after; ) {
      const query = new URLSearchParams({ space: "/shop", after, limit: 2 });
      const { status, body } = await askApi(server, `bans?${query}`);
      assert.equal(status, 200, JSON.stringify(body));
      list.push(...body.bans);
      after = list.length < names.length ? body.next : undefined;
    }
    const mine = list.slice(0, names.length);
    assert.deepEqual(
      mine.map(({ user, until: end, reason }) => [user, end, reason]),
      [
        [names[0], until, names[0]],
        [names[1], undefined, undefined],
        [names[2], until, names[2]],
      ],
    );
    assert.ok(mine.every(({ at }) => Math.abs(Date.now() - Date.parse(at)) < 60_000));
  });

  test("a revoked token is refused, its connections are closed, others stay", async (t) => {
    const [name, room, jti] = [unique("ann"), unique("room"), unique("jti")];
    const token = await tokenOf(name, { jti });
    const cookie = await signIn(server, { token });
    const ended = await connectTwice(t, token, { room });
    ended.push(await connect(t, clientType, server, { headers: cookie }));
    await ended[2].waitForWelcome();
    const kept = await connectWithToken(t, clientType, server, await tokenOf(name), { room });
    const closed = Promise.all(ended.map((it) => assertClosedForGood(it, "token_revoked", 4505)));
    await call("revocations", { jti, until: new Date(Date.now() + HOUR_MS).toISOString() });
    await closed;
    await barrier(kept, room, kept);
    assert.deepEqual(kept.take("closing"), []);
    for (let n = 0; n < 2; n += 1) {
      assert.equal(await clientType.refusal(server, { token }), "token_revoked");
      assert.equal((await getSession(server, cookie)).body.code, "token_revoked");
    }
    assertRefused(await kept.ask("auth", { token }), "token_revoked");
  });

  test("a user's tokens are revoked up to the time when they were issued", async (t) => {
    const [name, at] = [unique("ann"), epochSeconds(-30)];
    const [old, young] = [await tokenOf(name, { iat: at - 1 }), await tokenOf(name, { iat: at })];
    const undated = await signToken(server, { sub: name, exp: epochSeconds(600) });
    const ended = [
      ...(await connectTwice(t, old)),
      await connectWithToken(t, clientType, server, undated, { space: "/shop" }),
    ];
    const [kept] = await connectTwice(t, young);
    const closed = Promise.all(ended.map((it) => assertClosedForGood(it, "token_revoked", 4505)));
    await call("revocations", { user: name, issued_before: new Date(at * 1000).toISOString() });
    await closed;
    await call("revocations", { user: name, issued_before: "2001-01-01T00:00:00Z" });
    for (const token of [old, undated]) {
      assert.equal(await clientType.refusal(server, { token }), "token_revoked");
    }
    assertOk(await kept.ask("GroupList", {}));
    assert.deepEqual(kept.take("closing"), []);
  });

  test("revocations are listed in pages, and end", async (t) => {
    const base = unique("rev");
    const jtis = ["a", "b", "c"].map((it) => `${base}-${it}`);
    const name = unique("ann");
    const until = new Date(Date.now() + HOUR_MS).toISOString();
    const issued_before = new Date(epochSeconds(-30) * 1000).toISOString();
    const [one, old] = [await tokenOf(unique("bob"), { jti: jtis[1] }), await tokenOf(name)];
    for (const jti of jtis) await call("revocations", { jti, until });
    await call("revocations", { user: name, issued_before });
    const parameters = { after: `jti:${base}`, limit: 2 };
    const { body: first } = await askApi(server, `revocations?${new URLSearchParams(parameters)}`);
    assert.deepEqual(
      first.revocations.map(({ jti, until: end }) => [jti, end]),
      [
        [jtis[0], until],
        [jtis[1], until],
      ],
    );
    assert.ok(first.revocations.every(({ at }) => Math.abs(Date.now() - Date.parse(at)) < 60_000));
    assert.equal(first.next, `jti:${jtis[1]}`);
    const { items } = await readPages(server, "revocations", { limit: 2 });
    const mine = items.filter((it) => jtis.includes(it.jti) || it.user === name);
    assert.deepEqual(
      mine.map((it) => it.jti ?? it.user),
      [...jtis, name],
    );
    assert.deepEqual(mine.at(-1), { user: name, issued_before });
    for (const token of [one, old]) {
      assert.equal(await clientType.refusal(server, { token }), "token_revoked");
    }
    await end(`revocations?jti=${jtis[1]}`);
    await end(`revocations?user=${name}`);
    await end(`revocations?user=${unique("nobody")}`);
    for (const token of [one, old]) await connectTwice(t, token);
    const { items: left } = await readPages(server, "revocations", {});
    assert.ok(!left.some(({ jti, user }) => jti === jtis[1] || user === name));
  });

  test("a renewed connection stays when its first token is revoked", async (t) => {
    const [name, first, second] = [unique("ann"), unique("jti"), unique("jti")];
    const [ann] = await connectTwice(t, await tokenOf(name, { jti: first }));
    assertOk(await ann.ask("auth", { token: await tokenOf(name, { jti: second }) }));
    await call("revocations", { jti: first });
    assertOk(await ann.ask("GroupList", {}));
    await call("revocations", { jti: second });
    await assertClosedForGood(ann, "token_revoked", 4505);
  });

  test("one device is disconnected, and the others stay", async (t) => {
    const [name, room] = [unique("ann"), unique("room")];
    const [phone, desk] = [unique("phone"), unique("desk")];
    const token = await tokenOf(name);
    const gone = await connectTwice(t, token, { room, device: phone });
    const kept = await connectTwice(t, token, { room, device: desk });
    const closed = Promise.all(gone.map((it) => assertClosedForGood(it, "disconnected", 4503)));
    await disconnect({ user: name, device: phone });
    await closed;
    await barrier(kept[0], room, ...kept);
    for (const it of kept) assert.deepEqual(it.take("closing"), []);
  });

  test("a client is told to come back", async (t) => {
    const token = await tokenOf(unique("ann"));
    const device = unique("phone");
    const [one, other] = await connectTwice(t, token, { device });
    const { connection, node } = one.welcome;
    await disconnect({ connection: `${node}.${connection}`, reconnect: true });
    await assertComesBack(one);
    await disconnect({ user: other.name, device, reconnect: true });
    await assertComesBack(other);
    const again = await connectWithToken(t, clientType, server, token);
    await disconnect({ user: again.name, reconnect: true });
    await assertComesBack(again);
  });

  async function closedAsBanned(client, until) {
    const closing = await client.next("closing");
    assert.deepEqual([closing.code, closing.reconnect, closing.until], ["banned", false, until]);
    const end = await withTimeout("the end of the connection", client.closed);
    if (client.engine === undefined) assert.equal(end.code, 4504);
    else assert.equal(end, "io server disconnect");
  }

  async function assertBanned(options, until) {
    if (clientType.wire === "ws") {
      const { status, body } = await clientType.refusalAnswer(server, options);
      assert.deepEqual([status, body.code, body.until], [403, "banned", until]);
    } else {
      const { message, data } = await clientType.connectError(server, options);
      assert.equal(message, "banned");
      if (!clientType.legacy) assert.deepEqual([data.code, data.until], ["banned", until]);
    }
    assert.equal(await wsJson.refusal(server, options), "banned");
  }
}

/** The server closes a connection so that its client reconnects. */
async function assertComesBack(client) {
  const { code, reconnect } = await client.next("closing");
  assert.deepEqual([code, reconnect], ["reconnect", true]);
  const end = await withTimeout("the end of the connection", client.closed);
  if (client.engine === undefined) assert.equal(end.code, 4007);
  else assert.ok(["transport close", "transport error"].includes(end), end);
}
