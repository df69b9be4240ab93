// Display names for back ends: the lists of the HTTP API, the calls, webhooks, and a restart.

import assert from "node:assert/strict";
import { test } from "node:test";

import { freshToken, NAME_SETTINGS } from "../suites/display-names.mjs";
import { askApi, callApi } from "../support/api.mjs";
import { assertOk } from "../support/assert.mjs";
import { BackEnd } from "../support/back-end.mjs";
import { cookieHeader, createSession, sessionCookie } from "../support/cookie-session.mjs";
import { joinAsGuest, joinAsUser } from "../support/fixtures.mjs";
import { serverForThisFile, serverForThisTest } from "../support/server.mjs";
import { unique } from "../support/unique.mjs";
import { waitUntil } from "../support/wait-until.mjs";
import { WebhookReceiver } from "../support/webhook-receiver.mjs";
import { wsJson } from "../support/ws.mjs";

const settings = { ...NAME_SETTINGS, spaces: ["/shop", "/list-*"] };
const server = serverForThisFile({ settings });
const backEnd = await BackEnd.forThisFile();

test("a list has the display names of its users in one object", async (t) => {
  const [space, room] = [unique("/list"), unique("room")];
  const ann = await joinAsUser(t, wsJson, server, "ann", { space, room, claims: { name: "Ann" } });
  const bob = await joinAsGuest(t, wsJson, server, "bob", { space, room });
  assertOk(await ann.ask("send message", "hi"));
  const of = { space };
  for (const [route, parameters] of [
    ["history", { ...of, room }],
    ["presence", { ...of, user: ann.name }],
    ["users", of],
    ["connections", of],
    [`rooms/${room}/members`, of],
  ]) {
    const { status, body } = await askApi(server, `${route}?${new URLSearchParams(parameters)}`);
    assert.deepEqual([status, body.names], [200, { [ann.name]: "Ann" }], route);
  }
  const { body } = await askApi(
    server,
    `presence?${new URLSearchParams({ ...of, user: bob.name })}`,
  );
  assert.ok(!("names" in body));
});

test("answers of asks and bans have the display names of their users", async (t) => {
  const space = unique("/list");
  const ann = await joinAsUser(t, wsJson, server, "ann", { space, claims: { name: "Ann" } });
  const bob = await joinAsGuest(t, wsJson, server, "bob", { space });
  const names = { [ann.name]: "Ann" };
  for (const client of [ann, bob]) client.answerAsks("who", () => [client.name]);
  const ask = { space, event: "who", timeout_ms: 10_000 };
  const all = await callApi(server, "ask", { ...ask, to: { space: true } });
  assert.deepEqual([all.body.answers.length, all.body.names], [2, names]);
  const one = await callApi(server, "ask", { ...ask, to: { user: bob.name } });
  assert.deepEqual([one.body.answers.length, "names" in one.body], [1, false]);
  for (const of of [space, "*"]) {
    assert.equal((await callApi(server, "bans", { space: of, user: ann.name })).status, 200);
    const { body } = await askApi(server, `bans?${new URLSearchParams({ space: of })}`);
    assert.ok(body.bans.some(({ user }) => user === ann.name));
    assert.deepEqual(body.names, of === "*" ? undefined : names, "names are those of a space");
  }
});

test("dead letters have the present display names of their users", async (t) => {
  const receiver = await WebhookReceiver.start(t);
  await receiver.kill9();
  const webhooks = [receiver.webhook("all", { events: ["member.joined"], retry_secs_max: 1 })];
  const own = await serverForThisTest(t, {
    settings: { ...settings, webhooks },
    expectedLog: [/webhook/],
  });
  const room = unique("room");
  const ann = await joinAsUser(t, wsJson, own, "ann", { room, claims: { name: "Ann" } });
  await waitUntil("a dead letter", async () => {
    const { body } = await askApi(own, "webhooks/dead");
    return body.dead.some(({ data }) => data.user === ann.name && data.name === "Ann");
  });
});

test("a message of a back end has the present name of its author, also offline", async (t) => {
  const room = unique("room");
  const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
  const ann = await joinAsUser(t, wsJson, server, "ann", { room, claims: { name: "Ann" } });
  const post = async () => {
    const items = [{ room, user: ann.name, msg: "hi" }];
    assert.equal((await callApi(server, "messages", { items })).status, 200);
    return (await bob.next("new message")).name;
  };
  assert.equal(await post(), "Ann");
  ann.close();
  await bob.next("user left");
  assert.equal(await post(), "Ann");
});

test("a session of a cookie has the display name of the token that it was made of", async (t) => {
  const user = unique("ann");
  const token = await freshToken(server, user, "Ann");
  const answer = await createSession(server, { token });
  assert.deepEqual([answer.status, answer.body.name], [200, "Ann"]);
  const headers = cookieHeader(sessionCookie(answer).value);
  const room = unique("room");
  const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
  const ann = await wsJson.connect(server, { room, headers });
  t.after(() => ann.close());
  assert.deepEqual(await bob.next("user joined"), { room, user, name: "Ann" });
});

test("names are kept over a restart", async (t) => {
  const own = await serverForThisTest(t, { settings });
  const room = unique("room");
  const ann = await joinAsUser(t, wsJson, own, "ann", { room, claims: { name: "Ann" } });
  assertOk(await ann.ask("send message", "hi"));
  await own.restart();
  const bob = await joinAsGuest(t, wsJson, own, "bob", { room });
  const names = { [ann.name]: "Ann" };
  assert.deepEqual(assertOk(await bob.ask("history", {})).names, names);
  assert.deepEqual(assertOk(await bob.ask("presence", { users: [ann.name] })).names, names);
});

test("back ends and webhooks are told of the display name", async (t) => {
  const receiver = await WebhookReceiver.start(t);
  const webhooks = [receiver.webhook("all", { events: ["*"] })];
  const told = { ...settings, ...backEnd.settings(), webhooks };
  const own = await serverForThisTest(t, { settings: told });
  const room = unique("room");
  const ann = await joinAsUser(t, wsJson, own, "ann", { room, claims: { name: "Ann" } });
  assertOk(await ann.ask("send message", "hi"));
  assertOk(await ann.askWith("call", []));
  const { call } = backEnd.calls.find((it) => it.call.event === "call");
  assert.deepEqual(call.user, { id: ann.name, name: "Ann", guest: false, admin: false });
  const named = ({ data }) => data.user === ann.name;
  for (const type of ["user.online", "member.joined", "message.stored"]) {
    await waitUntil(`a webhook to be told of ${type}`, () =>
      receiver.events("all").some((it) => it.type === type && named(it)),
    );
  }
  for (const { data } of receiver.events("all").filter(named)) assert.equal(data.name, "Ann");
});
