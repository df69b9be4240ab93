// Token keys: every algorithm, a JWKS server that rotates its keys, stops and restarts, and tokens
// that name their own key.

import assert from "node:assert/strict";
import { test } from "node:test";

import { connectWithToken } from "../support/fixtures.mjs";
import { JwksServer, SigningKey } from "../support/jwks-server.mjs";
import { serverForThisTest } from "../support/server.mjs";
import { tempFile } from "../support/temp-file.mjs";
import { encodeJwt, epochSeconds } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const expectedLog = [/jwks fetch failed/];

test("a key accepts only its own algorithm", async (t) => {
  const secrets = { HS256: "a".repeat(32), HS384: "b".repeat(48), HS512: "c".repeat(64) };
  const pairs = ["RS256", "ES256", "ES384", "EdDSA"].map((alg) => new SigningKey(undefined, alg));
  const pss = Object.assign(new SigningKey(undefined, "RS256"), { alg: "PS256" });
  const keys = [
    ...Object.entries(secrets).map(([algorithm, secret]) => ({ secret, algorithm })),
    ...[...pairs, pss].map(({ alg: algorithm, publicKey }) => {
      const pem = publicKey.export({ type: "spki", format: "pem" });
      return { pem_file: tempFile(`${algorithm}.pem`, pem), algorithm };
    }),
  ];
  const server = await serverForThisTest(t, { settings: { "token.keys": keys } });
  for (const [alg, key] of Object.entries(secrets)) {
    const sub = unique(alg);
    const token = encodeJwt({ sub, exp: epochSeconds(600) }, { alg, key });
    assert.equal((await connectWithToken(t, wsJson, server, token)).name, sub);
  }
  for (const it of [...pairs, pss]) {
    const sub = unique(it.alg);
    assert.equal((await connectWithToken(t, wsJson, server, it.token(sub))).name, sub);
  }
});

test("keys rotate without a gap, and unknown keys cause at most one fetch a minute", async (t) => {
  const [one, two, three] = ["RS256", "ES256", "EdDSA"].map((alg) => new SigningKey(alg, alg));
  const jwks = await new JwksServer().publish(one).start(t);
  const server = await serving(t, jwks);
  await assertAccepted(t, server, one);
  jwks.publish(one, two);
  await assertAccepted(t, server, two);
  await assertAccepted(t, server, one);
  const fetched = jwks.requests.length;
  assert.equal(fetched, 2);
  jwks.publish(two, three);
  for (let n = 0; n < 20; n += 1)
    await assertUnaccepted(server, new SigningKey(`stranger${n}`, "ES256"));
  await assertUnaccepted(server, three);
  for (const it of [one, two]) await assertAccepted(t, server, it);
  assert.equal(jwks.requests.length, fetched, "unknown keys caused a fetch");
});

test("while the JWKS server is down the last keys are valid; afterwards the new ones", async (t) => {
  const [old, newer] = [new SigningKey("old", "RS256"), new SigningKey("young", "RS256")];
  const jwks = await new JwksServer().publish(old).start(t);
  const server = await serving(t, jwks);
  await assertAccepted(t, server, old);
  await jwks.stop();
  await assertUnaccepted(server, newer);
  await assertAccepted(t, server, old);
  const asked = jwks.nextRequest();
  await jwks.publish(newer).start(t);
  await asked;
  await assertAccepted(t, server, newer);
  await assertUnaccepted(server, old);
});

test("a JWKS server that is down at the start affects only tokens of its keys", async (t) => {
  const key = new SigningKey("key", "ES384");
  const jwks = await new JwksServer().publish(key).start(t);
  await jwks.stop();
  const server = await serving(t, jwks);
  await assertUnaccepted(server, key, undefined, "unavailable"); // the key may be known later
  const ann = await wsJson.connect(server);
  await ann.identify(unique("ann"));
  ann.close();
  const asked = jwks.nextRequest();
  await jwks.start(t);
  await asked;
  await assertAccepted(t, server, key);
});

test("a token cannot name its own key", async (t) => {
  const key = new SigningKey("key", "RS256");
  const otherKey = new SigningKey("key", "RS256");
  const jwks = await new JwksServer().publish(key).start(t);
  const evil = await new JwksServer().publish(otherKey).start(t);
  const server = await serving(t, jwks);
  await assertAccepted(t, server, key);
  const headers = [
    { jku: evil.url },
    { x5u: evil.url },
    { jku: evil.url, kid: "new" },
    { jwk: otherKey.jwk },
    { x5c: ["AAAA"] },
    { kid: evil.url },
    { kid: "../../evil.json" },
    { kid: `key","jku":"${evil.url}` },
    { kid: "/proc/self/environ" },
  ];
  for (const header of headers) {
    await assertUnaccepted(server, otherKey, header);
    const iss = `${evil.url}#`;
    const claims = { sub: unique("eve"), exp: epochSeconds(600), iss, aud: "../../evil.json" };
    const token = encodeJwt(claims, {
      alg: "RS256",
      key: otherKey.privateKey,
      header: { kid: iss, ...header },
    });
    assert.equal(await wsJson.refusal(server, { token }), "unauthorized");
  }
  assert.deepEqual(evil.requests, []);
  assert.deepEqual([...new Set(jwks.requests)], ["/keys.json"]);
});

/** A server that fetches its keys from a JWKS server. */
function serving(t, jwks) {
  const settings = { "token.keys": [{ jwks_url: jwks.url }] };
  return serverForThisTest(t, { settings, expectedLog });
}

async function assertAccepted(t, server, key) {
  const sub = unique("ann");
  assert.equal((await connectWithToken(t, wsJson, server, key.token(sub))).name, sub);
}

async function assertUnaccepted(server, key, header, code = "unauthorized") {
  const token = key.token(unique("eve"), header);
  assert.equal(await wsJson.refusal(server, { token }), code);
}
