// Valid and invalid tokens in every location, and which location counts. docs/protocol.md "Who you
// are".

import assert from "node:assert/strict";
import { test } from "node:test";

import { signIn } from "../support/cookie-session.mjs";
import { barrier, connect } from "../support/fixtures.mjs";
import { INVALID_TOKENS, validToken } from "../support/token-cases.mjs";
import { mergeOptions, tokenLocationsOf } from "../support/token-locations.mjs";
import { unique } from "../support/unique.mjs";

/** A request that is too large may be refused before its token is read. */
const TOO_LARGE = [400, 401, 413, 414, 431];

/** `server` has the settings `STRICT_TOKEN_SETTINGS`. */
export function tokenLocations(clientType, server) {
  const all = tokenLocationsOf(clientType);

  for (const { location, attach, obtain } of all) {
    test(`a valid token in ${location} identifies the user`, async (t) => {
      const name = unique("ann");
      await assertIdentified(t, name, await obtain(validToken(name), server));
    });

    for (const [code, makers] of Object.entries(INVALID_TOKENS)) {
      test(`an invalid token in ${location} is refused with ${code}`, async () => {
        for (const [what, make] of Object.entries(makers)) {
          await connectRefused(clientType, server, attach(make()), code, `a token that ${what}`);
        }
      });
    }
  }

  for (const [at, first] of all.entries()) {
    for (const second of all.slice(at + 1).filter((it) => !sameHeader(first, it))) {
      test(`${first.location} counts, and ${second.location} is ignored`, async (t) => {
        const name = unique("ann");
        const goodOne = await first.obtain(validToken(name), server);
        await assertIdentified(
          t,
          name,
          mergeOptions(goodOne, await second.obtain(validToken(), server)),
        );
        await assertIdentified(t, name, mergeOptions(goodOne, second.attach("nonsense")));
        const other = await second.obtain(validToken(), server);
        await connectRefused(
          clientType,
          server,
          mergeOptions(first.attach("nonsense"), other),
          "unauthorized",
        );
      });
    }
  }

  test("two tokens in one location are refused", async () => {
    for (const headers of await twoTokens(server)) {
      await connectRefused(
        clientType,
        server,
        { headers },
        "unauthorized",
        JSON.stringify(headers),
      );
    }
  });

  test("an empty token is invalid", async () => {
    for (const { location, attach } of all.filter((it) => it.location !== "subprotocol")) {
      await connectRefused(clientType, server, attach(""), "unauthorized", location);
    }
  });

  test("a token of 100 KB is refused, and disturbs no other connection", async (t) => {
    const ann = await connect(t, clientType, server, { query: { token: validToken() } });
    await ann.waitForWelcome();
    const huge = `${validToken()}.${"x".repeat(100 << 10)}`;
    for (const { location, attach } of all) {
      if (clientType.wire === "socket.io") {
        await clientType.refusal(server, attach(huge));
      } else {
        const { status } = await clientType.refusalAnswer(server, attach(huge));
        assert.ok(TOO_LARGE.includes(status), `${location}: ${status}`);
      }
    }
    await barrier(ann, undefined, ann);
  });

  async function assertIdentified(t, name, options) {
    const client = await connect(t, clientType, server, options);
    await client.waitForWelcome();
    assert.equal(client.name, name);
    client.close();
  }
}

/** `server` has the settings `STRICT_TOKEN_SETTINGS` and `token.in_query = "off"`. */
export function tokenNotInQuery(clientType, server) {
  test("a token in the address is refused, even a valid one", async () => {
    for (const token of [validToken(), "nonsense", ""]) {
      await connectRefused(clientType, server, { query: { token } }, "unauthorized");
    }
  });

  test("the other locations still work", async (t) => {
    const others = tokenLocationsOf(clientType).filter(({ location }) => location !== "query");
    for (const { obtain } of others) {
      const client = await connect(t, clientType, server, await obtain(validToken(), server));
      await client.waitForWelcome();
    }
  });
}

const sameHeader = (one, other) => one.location === "Bearer" && other.location === "Basic";

/** Headers with two tokens. */
async function twoTokens(server) {
  const one = await signIn(server, { token: validToken() });
  const other = await signIn(server, { token: validToken() });
  return [
    { authorization: [`Bearer ${validToken()}`, `Bearer ${validToken()}`] },
    { authorization: [`Bearer ${validToken()}`, "Basic eDp5"] },
    { cookie: `${one.cookie}; ${other.cookie}` },
    { cookie: `${one.cookie}; roomcast_session=nonsense` },
  ];
}

/** On `/ws` a refusal has the HTTP status and the header for it. */
async function connectRefused(clientType, server, options, code, what) {
  if (clientType.wire === "socket.io") {
    return assert.equal(await clientType.refusal(server, options), code, what);
  }
  const { status, headers, body } = await clientType.refusalAnswer(server, options);
  assert.deepEqual([status, body.code], [401, code], what);
  assert.match(headers["www-authenticate"], /^Bearer\b/, what);
  assert.equal(typeof body.message, "string");
}
