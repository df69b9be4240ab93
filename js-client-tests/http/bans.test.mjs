// Bans, revocations and the end of sessions: on one node, and after its end. docs/api.md.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { bans } from "../suites/bans.mjs";
import {
  API_SETTINGS,
  askApi,
  callApi,
  deleteByApi,
  PUBLISH_KEY,
  ROOT_KEY,
  SHOP_KEY,
} from "../support/api.mjs";
import { deleteSession, getSession, signIn } from "../support/cookie-session.mjs";
import { connectWithToken } from "../support/fixtures.mjs";
import { httpRequest } from "../support/http.mjs";
import { Server, serverForThisFile } from "../support/server.mjs";
import { reconnectOptions, socketIo } from "../support/socket.io.mjs";
import { decodeClaims, epochSeconds, SECRET, signToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const settings = { ...API_SETTINGS, "token.secret": SECRET };
const server = serverForThisFile({ settings });

const CLIENT_TYPES = [
  socketIo("4.8", "websocket"),
  socketIo("4.8", "polling"),
  socketIo("2.5", "websocket"),
  wsJson,
];

for (const clientType of CLIENT_TYPES) {
  describe(`bans and ${clientType.label}`, () => bans(clientType, server));
}

const tokenOf = (sub, claims = {}) =>
  signToken(server, { sub, exp: epochSeconds(600), iat: epochSeconds(-60), ...claims });

test("a key needs the scope, the space, and for tokens all spaces", async () => {
  const ban = { user: "nobody" };
  const revocation = { jti: unique("jti") };
  for (const [answer, status, code] of [
    [await callApi(server, "bans", ban, null), 401, "unauthorized"],
    [await callApi(server, "bans", ban, PUBLISH_KEY), 403, "forbidden"],
    [await callApi(server, "bans", ban, SHOP_KEY), 403, "space_forbidden"],
    [await callApi(server, "bans", { ...ban, space: "/shop" }, SHOP_KEY), 403, "forbidden"],
    [await callApi(server, "bans", { ...ban, space: "/nowhere" }), 404, "unknown_space"],
    [await deleteByApi(server, "bans?user=nobody", PUBLISH_KEY), 403, "forbidden"],
    [await deleteByApi(server, "bans?user=nobody&space=/nowhere"), 404, "unknown_space"],
    [await askApi(server, "bans", PUBLISH_KEY), 403, "forbidden"],
    [await askApi(server, "bans?space=/nowhere"), 404, "unknown_space"],
    [await callApi(server, "revocations", revocation, null), 401, "unauthorized"],
    [await callApi(server, "revocations", revocation, PUBLISH_KEY), 403, "forbidden"],
    [await callApi(server, "revocations", revocation, SHOP_KEY), 403, "space_forbidden"],
    [await callApi(server, "revocations", revocation, ROOT_KEY), 403, "space_forbidden"],
    [await deleteByApi(server, "revocations?jti=a", PUBLISH_KEY), 403, "forbidden"],
    [await deleteByApi(server, "revocations?jti=a", SHOP_KEY), 403, "space_forbidden"],
    [await askApi(server, "revocations", PUBLISH_KEY), 403, "forbidden"],
    [await askApi(server, "revocations", SHOP_KEY), 403, "space_forbidden"],
    [await callApi(server, "bans", { ...ban, space: "*" }, SHOP_KEY), 403, "space_forbidden"],
    [await deleteByApi(server, "bans?user=nobody&space=*", SHOP_KEY), 403, "space_forbidden"],
    [await askApi(server, "bans?space=*", SHOP_KEY), 403, "space_forbidden"],
    [await askApi(server, "bans?space=*", PUBLISH_KEY), 403, "forbidden"],
  ]) {
    assert.deepEqual([answer.status, answer.body.code], [status, code]);
    assert.match(answer.body.message, /API key|namespace/);
    assert.doesNotMatch(answer.body.message, /token/);
  }
});

test("a request that is not as documented is refused with the reason", async () => {
  const past = new Date(Date.now() - 1000).toISOString();
  const future = new Date(Date.now() + 120_000).toISOString();
  for (const [answer, why] of [
    [await callApi(server, "bans", {}), /the key `user` is missing/],
    [await callApi(server, "bans", { user: "" }), /a name has/],
    [await callApi(server, "bans", { user: "a", until: past }), /`until` is not in the future/],
    [await callApi(server, "bans", { user: "a", until: "soon" }), /`until` is not a time/],
    [await callApi(server, "bans", { user: "a", reason: "x".repeat(1025) }), /1024 bytes/],
    [await callApi(server, "bans", { user: "a", rooms: [] }), /there is no key `rooms`/],
    [await deleteByApi(server, "bans"), /the key `user` is missing/],
    [await deleteByApi(server, "bans?user=a&room=b"), /there is no key `room`/],
    [await askApi(server, "bans?limit=0"), /1 to 1000/],
    [await askApi(server, "bans?limit=1001"), /1 to 1000/],
    [await askApi(server, "bans?after="), /a name has/],
    [await askApi(server, "bans?cursor=a"), /there is no key `cursor`/],
    [await callApi(server, "bans", { user: "a", space: "**" }), /"\*\*" is not a space/],
    [await deleteByApi(server, "revocations"), /one of `jti` and `user`/],
    [await deleteByApi(server, "revocations?jti=a&user=b"), /one of `jti` and `user`/],
    [await askApi(server, "revocations?after=ann"), /"ann" is not the `next` of a page/],
    [await askApi(server, "revocations?limit=1001"), /1 to 1000/],
    [await callApi(server, "revocations", {}), /this needs `jti`/],
    [await callApi(server, "revocations", { jti: "a\n" }), /a `jti` has/],
    [await callApi(server, "revocations", { jti: "a", until: past }), /not in the future/],
    [
      await callApi(server, "revocations", { user: "a", issued_before: future }),
      /`issued_before` is in the future/,
    ],
    [
      await callApi(server, "actions", { do: [{ disconnect: { device: "d" } }] }),
      /item 1: `device` needs `user`/,
    ],
    [
      await callApi(server, "actions", { do: [{ disconnect: { user: "a", device: "d e" } }] }),
      /item 1: "d e": an id has/,
    ],
  ]) {
    assert.deepEqual([answer.status, answer.body.code], [400, "bad_request"]);
    assert.match(answer.body.message, why);
  }
  const { body } = await askApi(server, "bans");
  assert.ok(!body.bans.some(({ user }) => user === "a"), "nothing was done");
  const put = await httpRequest(server, "/api/v1/bans", { method: "PUT" });
  assert.deepEqual([put.status, put.headers.allow], [405, "GET, HEAD, POST, DELETE"]);
  const patch = await httpRequest(server, "/api/v1/revocations", { method: "PATCH" });
  assert.deepEqual([patch.status, patch.headers.allow], [405, "GET, HEAD, POST, DELETE"]);
});

test("an unban of nobody is no error", async () => {
  const { status, body } = await deleteByApi(server, `bans?user=${unique("nobody")}`);
  assert.deepEqual([status, body], [200, { ok: true }]);
});

test("the official client comes back by itself when it is told to", async (t) => {
  for (const transport of ["websocket", "polling"]) {
    const clientType = socketIo("4.8", transport);
    const token = await tokenOf(unique("ann"));
    const options = reconnectOptions(clientType, { token });
    const ann = await connectWithToken(t, clientType, server, token, options);
    const body = { do: [{ disconnect: { user: ann.name, reconnect: true } }] };
    assert.equal((await callApi(server, "actions", body)).status, 200);
    const { connection } = ann.welcome;
    await ann.waitForWelcome(token);
    assert.notEqual(ann.welcome.connection, connection);
  }
});

for (const [how, restart] of [
  ["a restart", (own) => own.restart()],
  ["kill -9", restartAfterKill],
]) {
  test(`bans, revocations and the end of sessions survive ${how}`, async (t) => {
    const own = await new Server({ settings }).start();
    t.after(() => own.stop());
    const [banned, freed, jti] = [unique("ann"), unique("bob"), unique("jti")];
    const everywhere = unique("fay");
    const fayToken = await tokenOf(everywhere);
    const freedToken = await tokenOf(unique("gus"), { jti: unique("jti") });
    const [annToken, bobToken] = [await tokenOf(banned), await tokenOf(freed)];
    const [one, old, fresh] = [
      await tokenOf(unique("cas"), { jti }),
      await tokenOf("dan"),
      await tokenOf("dan", { iat: epochSeconds() }),
    ];
    const session = await signIn(own, { token: fresh });
    const guest = await signIn(own, { name: unique("eve") });
    for (const [route, body] of [
      ["bans", { user: banned }],
      ["bans", { user: freed }],
      ["bans", { user: everywhere, space: "*" }],
      ["revocations", { jti }],
      ["revocations", { jti: decodeClaims(freedToken).jti }],
      [
        "revocations",
        { user: "dan", issued_before: new Date(epochSeconds(-30) * 1000).toISOString() },
      ],
    ]) {
      assert.equal((await callApi(own, route, body)).status, 200, route);
    }
    const ended = `revocations?jti=${decodeClaims(freedToken).jti}`;
    for (const it of [`bans?user=${freed}`, ended]) {
      assert.equal((await deleteByApi(own, it)).status, 200, it);
    }
    for (const headers of [session, guest]) {
      assert.equal((await deleteSession(own, headers)).status, 204);
    }
    await restart(own);
    assert.equal(await wsJson.refusal(own, { token: annToken }), "banned");
    assert.equal(await wsJson.refusal(own, { token: one }), "token_revoked");
    assert.equal(await wsJson.refusal(own, { token: old }), "token_revoked");
    for (const headers of [session, guest]) {
      assert.equal(await wsJson.refusal(own, { headers }), "unauthorized");
      assert.equal((await getSession(own, headers)).status, 401);
    }
    for (const space of ["/", "/shop"]) {
      assert.equal(await wsJson.refusal(own, { token: fayToken, space }), "banned");
    }
    for (const token of [bobToken, fresh, freedToken]) {
      await connectWithToken(t, wsJson, own, token);
    }
    const { body: list } = await askApi(own, "revocations");
    assert.deepEqual(
      list.revocations.map((it) => it.jti ?? it.user),
      [jti, "dan"],
    );
    const { body } = await askApi(own, "bans");
    assert.deepEqual(
      body.bans.map(({ user }) => user),
      [banned],
    );
  });
}

async function restartAfterKill(own) {
  await own.kill9();
  await own.start();
}
