// A token in every place, good and bad, and which place counts. docs/protocol.md "Who you are".

import assert from "node:assert/strict";
import { test } from "node:test";
import { signIn } from "../support/cookie-session.mjs";
import { barrier, connect } from "../support/fixtures.mjs";
import { INVALID_TOKENS, validToken } from "../support/token-cases.mjs";
import { mergeOptions, tokenLocationsOf } from "../support/token-locations.mjs";
import { unique } from "../support/unique.mjs";

/** A request that is too large is refused before anybody looks for a token in it. */
const TOO_LARGE = [400, 401, 413, 414, 431];

/** `server` has the settings `STRICT`. */
export function tokenLocations(clientType, server) {
  const all = tokenLocationsOf(clientType);

  for (const { place, carry, bring } of all) {
    test(`a good token in ${place} says who one is`, async (t) => {
      const name = unique("ann");
      await isIn(t, name, await bring(validToken(name), server));
    });

    for (const [code, makers] of Object.entries(INVALID_TOKENS)) {
      test(`a bad token in ${place} is refused with ${code}`, async () => {
        for (const [what, make] of Object.entries(makers)) {
          await connectRefused(clientType, server, carry(make()), code, `a token that ${what}`);
        }
      });
    }
  }

  for (const [at, first] of all.entries()) {
    for (const second of all.slice(at + 1).filter((it) => !sameHeader(first, it))) {
      test(`${first.place} counts, and ${second.place} is not looked at`, async (t) => {
        const name = unique("ann");
        const goodOne = await first.bring(validToken(name), server);
        await isIn(t, name, mergeOptions(goodOne, await second.bring(validToken(), server)));
        await isIn(t, name, mergeOptions(goodOne, second.carry("nonsense")));
        const other = await second.bring(validToken(), server);
        await connectRefused(
          clientType,
          server,
          mergeOptions(first.carry("nonsense"), other),
          "unauthorized",
        );
      });
    }
  }

  test("two tokens in one place are none", async () => {
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

  test("an empty token is a bad one", async () => {
    for (const { place, carry } of all.filter((it) => it.place !== "subprotocol")) {
      await connectRefused(clientType, server, carry(""), "unauthorized", place);
    }
  });

  test("a token of 100 KB opens nothing, and bothers nobody", async (t) => {
    const ann = await connect(t, clientType, server, { query: { token: validToken() } });
    await ann.waitForWelcome();
    const huge = `${validToken()}.${"x".repeat(100 << 10)}`;
    for (const { place, carry } of all) {
      if (clientType.wire === "socket.io") {
        await clientType.refusal(server, carry(huge));
      } else {
        const { status } = await clientType.refusalAnswer(server, carry(huge));
        assert.ok(TOO_LARGE.includes(status), `${place}: ${status}`);
      }
    }
    await barrier(ann, undefined, ann);
  });

  async function isIn(t, name, options) {
    const client = await connect(t, clientType, server, options);
    await client.waitForWelcome();
    assert.equal(client.name, name);
    client.close();
  }
}

/** `server` has the settings `STRICT` and `token.in_query = "off"`. */
export function tokenNotInQuery(clientType, server) {
  test("a token in the address is refused, however good", async () => {
    for (const token of [validToken(), "nonsense", ""]) {
      await connectRefused(clientType, server, { query: { token } }, "unauthorized");
    }
  });

  test("in the other places it is as good as ever", async (t) => {
    const others = tokenLocationsOf(clientType).filter(({ place }) => place !== "query");
    for (const { bring } of others) {
      const client = await connect(t, clientType, server, await bring(validToken(), server));
      await client.waitForWelcome();
    }
  });
}

const sameHeader = (one, other) => one.place === "Bearer" && other.place === "Basic";

/** Headers that say two things. */
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

/** On `/ws` a refusal has the status and the header that HTTP has for it. */
async function connectRefused(clientType, server, options, code, what) {
  if (clientType.wire === "socket.io") {
    return assert.equal(await clientType.refusal(server, options), code, what);
  }
  const { status, headers, body } = await clientType.refusalAnswer(server, options);
  assert.deepEqual([status, body.code], [401, code], what);
  assert.match(headers["www-authenticate"], /^Bearer\b/, what);
  assert.equal(typeof body.message, "string");
}
