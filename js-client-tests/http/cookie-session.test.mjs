// Cookie sessions for pages. docs/protocol.md "Cookie sessions".

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertRefused } from "../support/assert.mjs";
import {
  clearsCookie,
  cookieHeader,
  createSession,
  deleteSession,
  getSession,
  sessionCookie,
  signIn,
} from "../support/cookie-session.mjs";
import { connect, connectWithToken } from "../support/fixtures.mjs";
import { httpRequest } from "../support/http.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { epochSeconds, signToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({
  settings: { spaces: ["/shop"], "limits.presence_grace_ms": 60_000 },
});
const closed = serverForThisFile({ settings: { guests: "off" } });
const first = serverForThisFile({ settings: { "limits.presence_grace_ms": 100 } });

const FLAGS = ["HttpOnly", "Path=/", "SameSite=Lax"];

test("a guest signs in with a name, and later requests belong to that guest", async (t) => {
  const name = unique("Ännchen");
  const answer = await createSession(server, { name: `  ${name} ` });
  assert.equal(answer.status, 200);
  assert.match(answer.headers["content-type"], /^application\/json/);
  assert.match(answer.headers["cache-control"], /no-store/);
  const { expiresAt, ...session } = answer.body;
  assert.deepEqual(session, { user: name, guest: true, admin: false });
  assert.ok(
    Math.abs(Date.parse(expiresAt) / 1000 - epochSeconds(86_400)) < 120,
    "a day by default",
  );
  const headers = cookieHeader(sessionCookie(answer).value);
  const seen = await getSession(server, headers);
  assert.deepEqual([seen.status, seen.body], [200, answer.body]);
  const ann = await connect(t, wsJson, server, { headers });
  await ann.waitForWelcome();
  assert.equal(ann.name, name);
  assert.ok(!("token" in ann.welcome), "the answer contains a token");
});

test("a user signs in with a token", async () => {
  const claims = { sub: unique("ann"), exp: epochSeconds(600), name: "Ann", admin: true };
  const { status, body } = await createSession(server, { token: await signToken(server, claims) });
  const expiresAt = new Date(claims.exp * 1000).toISOString();
  assert.equal(status, 200);
  assert.deepEqual(body, { user: claims.sub, name: "Ann", guest: false, admin: true, expiresAt });
});

test("the cookie is HttpOnly, SameSite, and lasts as long as the token", async () => {
  const token = await signToken(server, { sub: unique("ann"), exp: epochSeconds(600) });
  const { flags, value } = sessionCookie(await createSession(server, { token }));
  const [age] = flags.filter((it) => it.startsWith("Max-Age="));
  assert.deepEqual(
    flags.filter((it) => it !== age),
    FLAGS,
  );
  assert.ok(Math.abs(age.slice(8) - 600) <= 60, age);
  assert.match(value, /^[\w.-]+$/);
});

test("under TLS the cookie is Secure", async () => {
  const origin = server.url.replace("http", "https");
  for (const headers of [{ "x-forwarded-proto": "https" }, { origin }]) {
    const { flags } = sessionCookie(await createSession(server, { name: unique("ann") }, headers));
    assert.ok(flags.includes("Secure"), JSON.stringify(headers));
  }
  for (const headers of [{ "x-forwarded-proto": "http" }, { origin: server.url }]) {
    const { flags } = sessionCookie(await createSession(server, { name: unique("ann") }, headers));
    assert.ok(!flags.includes("Secure"), JSON.stringify(headers));
  }
});

test("a session belongs to one space", async () => {
  const name = unique("ann");
  const answer = await createSession(server, { name, space: "/shop" });
  assert.equal(answer.status, 200);
  const headers = cookieHeader(sessionCookie(answer).value);
  const shop = await wsJson.connect(server, { headers, space: "/shop" });
  assert.equal((await shop.waitForWelcome()).name, name);
  shop.close();
  assert.equal(await wsJson.refusal(server, { headers }), "space_forbidden");
});

/** Bodies that are refused, and how. */
const REFUSED = [
  ["", 400, "bad_request"],
  ["name=ann", 400, "bad_request"],
  ['"ann"', 400, "bad_request"],
  ["null", 400, "bad_request"],
  ["{}", 400, "bad_request"],
  ['["ann"]', 400, "bad_request"],
  ['{"name":"ann"', 400, "bad_request"],
  ['{"name":7}', 400, "bad_request"],
  ['{"name":null}', 400, "bad_request"],
  ['{"name":["ann"]}', 400, "bad_request"],
  ['{"token":{}}', 400, "bad_request"],
  ['{"name":"ann","token":"a.b.c"}', 400, "bad_request"],
  ['{"name":"ann","space":5}', 400, "bad_request"],
  [`{"name":${"[".repeat(9000)}${"]".repeat(9000)}}`, 400, "bad_request"],
  [`{"name":"${"x".repeat(70_000)}"}`, 413, "message_too_large"],
  ['{"name":""}', 422, "name_invalid"],
  ['{"name":"two\\nlines"}', 422, "name_invalid"],
  [`{"name":"${"x".repeat(33)}"}`, 422, "name_invalid"],
  ['{"name":"ann","space":"/nowhere"}', 404, "unknown_space"],
  ['{"name":"ann","space":"shop"}', 404, "unknown_space"],
  ['{"token":""}', 401, "unauthorized"],
  ['{"token":"nonsense"}', 401, "unauthorized"],
];

test("an invalid body is refused, and sets no cookie", async () => {
  for (const [body, ...expected] of REFUSED) {
    const { status, headers, body: refusal } = await createSession(server, body);
    assert.deepEqual([status, refusal.code], expected, body.slice(0, 80));
    assert.equal(typeof refusal.message, "string");
    assert.equal(headers["set-cookie"], undefined);
  }
});

test("a token that has expired, or is for another space, is refused", async () => {
  const sub = unique("ann");
  for (const [code, claims] of [
    ["token_expired", { sub, exp: epochSeconds(-1) }],
    ["space_forbidden", { sub, exp: epochSeconds(600), spaces: ["/shop"] }],
  ]) {
    const { body } = await createSession(server, { token: await signToken(server, claims) });
    assert.equal(body.code, code);
  }
});

test("a body without the JSON content type is refused", async () => {
  const body = JSON.stringify({ name: unique("ann") });
  const types = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"];
  for (const type of [undefined, ...types, "text/plain; application/json", "application/jsonp"]) {
    const headers = type ? { "content-type": type } : {};
    const answer = await httpRequest(server, "/api/session", { method: "POST", headers, body });
    assert.deepEqual([answer.status, answer.body.code], [400, "bad_request"], `${type}`);
  }
  const type = "Application/JSON; charset=utf-8";
  assert.equal((await createSession(server, body, { "content-type": type })).status, 200);
});

test("other methods are refused", async () => {
  for (const method of ["PUT", "PATCH", "HEAD", "TRACE"]) {
    const { status, headers } = await httpRequest(server, "/api/session", { method });
    assert.equal(status, 405, method);
    assert.match(headers.allow, /GET.*POST.*DELETE/);
  }
});

test("a request without a session is answered with null", async () => {
  for (const headers of [{}, { cookie: "theme=dark" }]) {
    const { status, body, headers: answered } = await getSession(server, headers);
    assert.deepEqual([status, body], [200, null]);
    assert.equal(answered["set-cookie"], undefined);
  }
});

test("an invalid cookie is deleted", async () => {
  const over = await signToken(server, { sub: unique("ann"), exp: epochSeconds(-1) });
  for (const [value, code] of [
    ["nonsense", "unauthorized"],
    [over, "token_expired"],
  ]) {
    const answer = await getSession(server, cookieHeader(value));
    assert.deepEqual([answer.status, answer.body.code], [401, code]);
    assert.ok(clearsCookie(answer));
  }
  const { value } = sessionCookie(await createSession(server, { name: unique("ann") }));
  const two = await getSession(server, {
    cookie: `${cookieHeader(value).cookie}; roomcast_session=x`,
  });
  assert.deepEqual([two.status, two.body.code], [401, "unauthorized"]);
});

test("the session cookie is found among others by its exact name", async () => {
  const name = unique("ann");
  const { cookie } = await signIn(server, { name });
  for (const text of [`theme=dark; ${cookie}; lang=de`, `a=b;${cookie}`, `${cookie}; ${cookie}`]) {
    assert.equal((await getSession(server, { cookie: text })).body.user, name, text);
  }
  for (const text of [`x${cookie}`, cookie.replace("roomcast", "Roomcast")]) {
    assert.equal((await getSession(server, { cookie: text })).body, null, text);
  }
});

test("a guest's name is taken from the sign-in on", async (t) => {
  const name = unique("ann");
  const headers = await signIn(server, { name });
  const { status, body } = await createSession(server, { name: name.toUpperCase() });
  assert.deepEqual([status, body.code], [409, "name_taken"]);
  const other = await connect(t, wsJson, server);
  assertRefused(await other.ask("new user", name), "name_taken");
  const ann = await connect(t, wsJson, server, { headers });
  assert.equal((await ann.waitForWelcome()).name, name);
});

test("a guest who does not connect in time loses the name", async (t) => {
  const name = unique("ann");
  const headers = await signIn(first, { name });
  const other = await connect(t, wsJson, first);
  for (let answer = {}; !answer.ok; ) {
    answer = await other.ask("new user", name);
    if (!answer.ok) assertRefused(answer, "name_taken");
  }
  assert.equal(await wsJson.refusal(first, { headers }), "name_taken");
});

test("a guest cannot take a name that a token has used", async (t) => {
  const name = unique("Carol");
  await connectWithToken(
    t,
    wsJson,
    server,
    await signToken(server, { sub: name, exp: epochSeconds(600) }),
  );
  const { status, body } = await createSession(server, { name: name.toLowerCase() });
  assert.deepEqual([status, body.code], [409, "name_taken"]);
});

test("with `guests = off` only a token signs in", async (t) => {
  const { status, headers, body } = await createSession(closed, { name: unique("ann") });
  assert.deepEqual([status, body.code], [401, "token_required"]);
  assert.match(headers["www-authenticate"], /^Bearer\b/);
  const token = await signToken(closed, { sub: unique("ann"), exp: epochSeconds(600) });
  const ann = await connect(t, wsJson, closed, { headers: await signIn(closed, { token }) });
  await ann.waitForWelcome();
});

test("signing out deletes the cookie, whatever its value", async () => {
  const good = await signIn(server, { name: unique("ann") });
  for (const headers of [{}, cookieHeader("nonsense"), good]) {
    const answer = await deleteSession(server, headers);
    assert.deepEqual([answer.status, answer.body], [204, ""]);
    assert.ok(clearsCookie(answer));
    assert.deepEqual(
      sessionCookie(answer).flags.filter((it) => !/^(Max-Age|Expires)=/.test(it)),
      FLAGS,
      "the deleting cookie has the same flags as the one that it deletes",
    );
  }
});
