// A token in every place, good and bad, and which place counts. docs/protocol.md "Who you are".

import assert from "node:assert/strict";
import { test } from "node:test";

import { unique } from "../support/names.mjs";
import { BAD, good } from "../support/operator.mjs";
import { arrive, fence } from "../support/people.mjs";
import { placesOf, together } from "../support/places.mjs";
import { signedIn } from "../support/session.mjs";

/** A request that is too large is refused before anybody looks for a token in it. */
const TOO_LARGE = [400, 401, 413, 414, 431];

/** `server` has the settings `STRICT`. */
export function places(way, server) {
  const all = placesOf(way);

  for (const { place, carry, bring } of all) {
    test(`a good token in ${place} says who one is`, async (t) => {
      const name = unique("ann");
      await isIn(t, name, await bring(good(name), server));
    });

    for (const [code, makers] of Object.entries(BAD)) {
      test(`a bad token in ${place} is refused with ${code}`, async () => {
        for (const [what, make] of Object.entries(makers)) {
          await refused(way, server, carry(make()), code, `a token that ${what}`);
        }
      });
    }
  }

  for (const [at, first] of all.entries()) {
    for (const second of all.slice(at + 1).filter((it) => !sameHeader(first, it))) {
      test(`${first.place} counts, and ${second.place} is not looked at`, async (t) => {
        const name = unique("ann");
        const goodOne = await first.bring(good(name), server);
        await isIn(t, name, together(goodOne, await second.bring(good(), server)));
        await isIn(t, name, together(goodOne, second.carry("nonsense")));
        const other = await second.bring(good(), server);
        await refused(way, server, together(first.carry("nonsense"), other), "unauthorized");
      });
    }
  }

  test("two tokens in one place are none", async () => {
    for (const headers of await doubles(server)) {
      await refused(way, server, { headers }, "unauthorized", JSON.stringify(headers));
    }
  });

  test("an empty token is a bad one", async () => {
    for (const { place, carry } of all.filter((it) => it.place !== "subprotocol")) {
      await refused(way, server, carry(""), "unauthorized", place);
    }
  });

  test("a token of 100 KB opens nothing, and bothers nobody", async (t) => {
    const ann = await arrive(t, way, server, { query: { token: good() } });
    await ann.welcomed();
    const huge = `${good()}.${"x".repeat(100 << 10)}`;
    for (const { place, carry } of all) {
      if (way.wire === "socket.io") {
        await way.refusal(server, carry(huge));
      } else {
        const { status } = await way.refusalAnswer(server, carry(huge));
        assert.ok(TOO_LARGE.includes(status), `${place}: ${status}`);
      }
    }
    await fence(ann, undefined, ann);
  });

  async function isIn(t, name, options) {
    const client = await arrive(t, way, server, options);
    await client.welcomed();
    assert.equal(client.name, name);
    client.close();
  }
}

/** `server` has the settings `STRICT` and `token.in_query = "off"`. */
export function placesButTheQuery(way, server) {
  test("a token in the address is refused, however good", async () => {
    for (const token of [good(), "nonsense", ""]) {
      await refused(way, server, { query: { token } }, "unauthorized");
    }
  });

  test("in the other places it is as good as ever", async (t) => {
    const others = placesOf(way).filter(({ place }) => place !== "query");
    for (const { bring } of others) {
      const client = await arrive(t, way, server, await bring(good(), server));
      await client.welcomed();
    }
  });
}

const sameHeader = (one, other) => one.place === "Bearer" && other.place === "Basic";

/** Headers that say two things. */
async function doubles(server) {
  const one = await signedIn(server, { token: good() });
  const other = await signedIn(server, { token: good() });
  return [
    { authorization: [`Bearer ${good()}`, `Bearer ${good()}`] },
    { authorization: [`Bearer ${good()}`, "Basic eDp5"] },
    { cookie: `${one.cookie}; ${other.cookie}` },
    { cookie: `${one.cookie}; roomcast_session=nonsense` },
  ];
}

/** On `/ws` a refusal has the status and the header that HTTP has for it. */
async function refused(way, server, options, code, what) {
  if (way.wire === "socket.io") {
    return assert.equal(await way.refusal(server, options), code, what);
  }
  const { status, headers, body } = await way.refusalAnswer(server, options);
  assert.deepEqual([status, body.code], [401, code], what);
  assert.match(headers["www-authenticate"], /^Bearer\b/, what);
  assert.equal(typeof body.message, "string");
}
