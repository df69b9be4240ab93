// Keys from outside: every algorithm, a site that rotates them, goes down and comes back, and
// tokens that say where their own key is.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connectWithToken } from "../support/fixtures.mjs";
import { JwksServer, SigningKey } from "../support/jwks-server.mjs";
import { serverForThisTest } from "../support/server.mjs";
import { tempFile } from "../support/temp-file.mjs";
import { encodeJwt, epochSeconds } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const expectedLog = [/cannot be fetched/];

test("every algorithm is taken from the key that it is set for", async (t) => {
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

test("keys rotate without a gap, and strangers cause one fetch a minute", async (t) => {
  const [one, two, three] = ["RS256", "ES256", "EdDSA"].map((alg) => new SigningKey(alg, alg));
  const site = await new JwksServer().publish(one).start(t);
  const server = await serving(t, site);
  await isIn(t, server, one);
  site.publish(one, two);
  await isIn(t, server, two);
  await isIn(t, server, one);
  const fetched = site.requests.length;
  assert.equal(fetched, 2);
  site.publish(two, three);
  for (let n = 0; n < 20; n += 1) await isOut(server, new SigningKey(`stranger${n}`, "ES256"));
  await isOut(server, three);
  for (const it of [one, two]) await isIn(t, server, it);
  assert.equal(site.requests.length, fetched, "strangers make it fetch");
});

test("while the site is down the last keys stay; when it is back the new ones come", async (t) => {
  const [old, young] = [new SigningKey("old", "RS256"), new SigningKey("young", "RS256")];
  const site = await new JwksServer().publish(old).start(t);
  const server = await serving(t, site);
  await isIn(t, server, old);
  await site.stop();
  await isOut(server, young);
  await isIn(t, server, old);
  const asked = site.nextRequest();
  await site.publish(young).start(t);
  await asked;
  await isIn(t, server, young);
  await isOut(server, old);
});

test("a site that is down at the start holds up nobody but those whose key it has", async (t) => {
  const key = new SigningKey("key", "ES384");
  const site = await new JwksServer().publish(key).start(t);
  await site.stop();
  const server = await serving(t, site);
  await isOut(server, key, undefined, "unavailable"); // nobody knows whose key it is
  const ann = await wsJson.connect(server);
  await ann.identify(unique("ann"));
  ann.close();
  const asked = site.nextRequest();
  await site.start(t);
  await asked;
  await isIn(t, server, key);
});

test("a token does not say where keys are", async (t) => {
  const key = new SigningKey("key", "RS256");
  const stranger = new SigningKey("key", "RS256");
  const site = await new JwksServer().publish(key).start(t);
  const evil = await new JwksServer().publish(stranger).start(t);
  const server = await serving(t, site);
  await isIn(t, server, key);
  const headers = [
    { jku: evil.url },
    { x5u: evil.url },
    { jku: evil.url, kid: "new" },
    { jwk: stranger.jwk },
    { x5c: ["AAAA"] },
    { kid: evil.url },
    { kid: "../../evil.json" },
    { kid: `key","jku":"${evil.url}` },
    { kid: "/proc/self/environ" },
  ];
  for (const header of headers) {
    await isOut(server, stranger, header);
    const iss = `${evil.url}#`;
    const claims = { sub: unique("eve"), exp: epochSeconds(600), iss, aud: "../../evil.json" };
    const token = encodeJwt(claims, {
      alg: "RS256",
      key: stranger.privateKey,
      header: { kid: iss, ...header },
    });
    assert.equal(await wsJson.refusal(server, { token }), "unauthorized");
  }
  assert.deepEqual(evil.requests, []);
  assert.deepEqual([...new Set(site.requests)], ["/keys.json"]);
});

/** A server that takes its keys from a site. */
function serving(t, site) {
  const settings = { "token.keys": [{ jwks_url: site.url }] };
  return serverForThisTest(t, { settings, expectedLog });
}

async function isIn(t, server, key) {
  const sub = unique("ann");
  assert.equal((await connectWithToken(t, wsJson, server, key.token(sub))).name, sub);
}

async function isOut(server, key, header, code = "unauthorized") {
  const token = key.token(unique("eve"), header);
  assert.equal(await wsJson.refusal(server, { token }), code);
}
