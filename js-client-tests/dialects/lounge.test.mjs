// The dialect `lounge`, and the sign-in by form. docs/dialects.md; the client R17.

import assert from "node:assert/strict";
import { test } from "node:test";

import { clearsCookie, cookieHeader, sessionCookie } from "../support/cookie-session.mjs";
import { connectDialect } from "../support/dialect.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { httpRequest } from "../support/http.mjs";
import { serverForThisFile, serverForThisTest } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { unique } from "../support/unique.mjs";

const server = serverForThisFile({
  settings: {
    form_sign_in: "on",
    paths: [{ path: "/lounge/{room}", dialect: "lounge" }],
    "limits.presence_grace_ms": 0,
    "limits.body_bytes_max": 1000,
  },
});

const FORM = "application/x-www-form-urlencoded";

/** The answer to a sign-in with a body of this type. */
function signIn(body, type = FORM, to = server) {
  return httpRequest(to, "/wsin", { method: "POST", headers: { "content-type": type }, body });
}

/** The request headers of a page where `name` has signed in. */
async function signedIn(name) {
  const answer = await signIn(new URLSearchParams({ name }).toString());
  assert.deepEqual([answer.status, answer.body.user], [200, name]);
  return cookieHeader(sessionCookie(answer).value);
}

/** A client of `name` in `room`, which has received its join and its list. */
async function open(t, room, name) {
  const headers = await signedIn(name);
  const client = await connectDialect(t, server, { path: `/lounge/${room}`, headers });
  const [join, list] = [await client.nextJson(), await client.nextJson()];
  assert.deepEqual(join, { id: 1, type: "join", user: name, data: "" });
  assert.deepEqual([list.id, list.type, list.user], [2, "list", name]);
  client.users = list.data.sort();
  client.headers = headers;
  return client;
}

test("R17: join to all, a list to the one who came, chat to all, and left", async (t) => {
  const room = unique("room");
  const [ann, bob] = [unique("ann ä&b"), unique("bob")];
  const one = await open(t, room, ann);
  assert.deepEqual(one.users, [ann]);
  const two = await open(t, room, bob);
  assert.deepEqual(two.users, [ann, bob].sort());
  assert.deepEqual(await one.nextJson(), { id: 3, type: "join", user: bob, data: "" });
  one.send("   ");
  one.send("  hello \n");
  assert.deepEqual(await one.nextJson(), { id: 4, type: "chat", user: ann, data: "hello" });
  assert.deepEqual(await two.nextJson(), { id: 3, type: "chat", user: ann, data: "hello" });
  two.socket.close();
  assert.deepEqual(await one.nextJson(), { id: 5, type: "left", user: bob, data: "" });
});

test("R17: without a valid cookie the connection is closed with 4001", async (t) => {
  for (const headers of [{}, cookieHeader("nonsense")]) {
    const client = await connectDialect(t, server, { protocols: ["lounge"], headers });
    assert.deepEqual(await client.close(), { code: 4001, reason: "Invalid user" });
    assert.deepEqual(client.take(), [], "no frame precedes it");
  }
});

test("GET /wsout clears the cookie, and ends its connections and its token", async (t) => {
  const client = await open(t, unique("room"), unique("ann"));
  const { headers } = client;
  const answer = await httpRequest(server, "/wsout", { headers });
  assert.equal(answer.status, 204);
  assert.ok(clearsCookie(answer));
  assert.equal((await client.nextJson()).data, "signed_out");
  assert.equal((await client.close()).code, 4501);
  const again = await connectDialect(t, server, { protocols: ["lounge"], headers });
  assert.equal((await again.close()).code, 4001);
});

test("a sign-in takes a form or JSON, and refuses the rest with a code", async (t) => {
  const json = await signIn(JSON.stringify({ name: unique("ann") }), "application/json");
  assert.equal(json.status, 200);
  const taken = unique("bob");
  await open(t, unique("room"), taken);
  for (const [body, type, ...expected] of [
    ["name=", FORM, 422, "name_invalid"],
    ["", FORM, 400, "bad_request"],
    ["user=ann", FORM, 400, "bad_request"],
    ["name=a&name=b", FORM, 400, "bad_request"],
    ["name=%ff", FORM, 400, "bad_request"],
    ["name=a&token=b", FORM, 400, "bad_request"],
    [`name=${taken}`, FORM, 409, "name_taken"],
    ["name=ann", "text/plain", 400, "bad_request"],
    ["name=ann", "application/json", 400, "bad_request"],
    [`name=${"x".repeat(30_000)}`, FORM, 413, "message_too_large"],
  ]) {
    const { status, body: answer } = await signIn(body, type);
    assert.deepEqual([status, answer.code], expected, body.slice(0, 40));
  }
  const post = await httpRequest(server, "/wsout", { method: "POST" });
  assert.equal(post.status, 405);
  const evil = { "content-type": FORM, origin: "https://evil.example" };
  const cross = await httpRequest(server, "/wsin", {
    method: "POST",
    headers: evil,
    body: "name=a",
  });
  assert.deepEqual([cross.status, cross.body.code], [403, "origin_forbidden"]);
});

test("without the setting there is no sign-in by form", async (t) => {
  const plain = await serverForThisTest(t);
  assert.equal((await signIn("name=ann", FORM, plain)).status, 404);
  assert.equal((await httpRequest(plain, "/wsout", {})).status, 404);
});

test("bad frames are errors with a code, and change nothing", async (t) => {
  const room = unique("room");
  const name = unique("ann");
  const ann = await open(t, room, name);
  for (const [frame, code] of [
    [Buffer.from("hi"), "bad_request"],
    ["x".repeat(1001), "message_too_large"],
  ]) {
    ann.send(frame);
    const { type, user, data } = await ann.nextJson();
    assert.deepEqual([type, user, data], ["error", name, code]);
  }
  ann.send("last");
  assert.equal((await ann.nextJson()).data, "last");
});

test("users of Socket.IO are in the same room", async (t) => {
  const [room, name] = [unique("room"), unique("ann")];
  const bob = await joinAsGuest(t, socketIo("4.8", "websocket"), server, "bob", { room });
  const ann = await open(t, room, name);
  assert.deepEqual(ann.users, [name, bob.name].sort());
  ann.send("hi");
  const { username, msg } = await bob.next("new message");
  assert.deepEqual([username, msg], [name, "hi"]);
  await bob.ask("GroupChat", { room, data: [1] });
  assert.equal((await ann.nextJson()).data, "hi");
  const { type, user, data } = await ann.nextJson();
  assert.deepEqual([type, user, data], ["chat", bob.name, "[1]"]);
});
