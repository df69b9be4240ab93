// Events that a back end asks connections to answer. docs/api.md "Ask".

import assert from "node:assert/strict";
import { test } from "node:test";

import { callApi } from "../support/api.mjs";
import { connectAnonymously, joinAsGuest, ownerAndMember } from "../support/fixtures.mjs";
import { TIMEOUT_MS } from "../support/timeouts.mjs";
import { unique } from "../support/unique.mjs";
import { bodyCodec } from "./binary.mjs";

const BYTES = Buffer.from([0, 1, 255]);
const BASE64 = { base64: BYTES.toString("base64") };
/** Longer than a test waits, so an ask that ends in a test has not timed out. */
const LONG_MS = 2 * TIMEOUT_MS;
const SHORT_MS = 300;

/** `server` has the settings of support/api.mjs, and `token.secret`. */
export function ask(clientType, server) {
  const { read, write } = bodyCodec(clientType);

  test("everybody in a room answers, with bytes both ways", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    const asked = [];
    for (const client of [ann, bob]) {
      client.answerAsks("whoami", (args) => {
        asked.push(args);
        return [client.name, null, write({ deep: [BYTES] })];
      });
    }
    const args = [room, { bytes: BASE64 }, []];
    const { answers, ...rest } = await askFor({ event: "whoami", args, to: { room } });
    assert.deepEqual(rest, { missing: 0, complete: true });
    const expected = [ann, bob].map((client) => ({
      connection: addressOf(client),
      user: client.name,
      args: [client.name, null, { deep: [BASE64] }],
    }));
    assert.deepEqual(answers.sort(byConnection), expected.sort(byConnection));
    assert.deepEqual(
      asked.map(([first, bytes, last]) => [first, read(bytes), last]),
      [1, 2].map(() => [room, { bytes: BYTES }, []]),
    );
  });

  test("an ask of nobody ends at once", async () => {
    const connection = `${unique("node")}.c1`;
    for (const to of [{ room: unique("room") }, { user: unique("nobody") }, { connection }]) {
      const outcome = await askFor({ event: "whoami", to });
      assert.deepEqual(outcome, { answers: [], missing: 0, complete: true });
    }
  });

  test("a user, a connection and a space are asked, but not an exception", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    for (const client of [ann, bob]) client.answerAsks("whoami", () => []);
    const users = async (body) => {
      const { answers, missing } = await askFor({ event: "whoami", ...body });
      assert.equal(missing, 0);
      return answers.map(({ user, args }) => [user, args]);
    };
    assert.deepEqual(await users({ to: { user: ann.name } }), [[ann.name, []]]);
    assert.deepEqual(await users({ to: { connection: addressOf(bob) } }), [[bob.name, []]]);
    const except = addressOf(ann);
    assert.deepEqual(await users({ to: { room }, except }), [[bob.name, []]]);
    const otherSpace = { space: "/shop", to: { connection: addressOf(bob) } };
    assert.deepEqual(await users(otherSpace), [], "it is in another space");
  });

  test("an anonymous connection is asked, too", async (t) => {
    const anonymous = await connectAnonymously(t, clientType, server, { space: "/shop" });
    anonymous.answerAsks("whoami", ([it]) => [it]);
    const value = unique("value");
    const body = { space: "/shop", event: "whoami", args: [value], to: { space: true } };
    const { answers } = await askFor(body);
    const [answer] = answers.filter(({ args }) => args[0] === value);
    assert.deepEqual(Object.keys(answer), ["connection", "args"]);
  });

  test("a silent connection is missing at the end, and one that closes at once", async (t) => {
    const { room, ann, bob } = await ownerAndMember(t, clientType, server);
    ann.answerAsks("whoami", () => ["ann"]).answerAsks("leave me", () => ["ann"]);
    bob.answerAsks("whoami", () => null).answerAsks("leave me", () => bob.close());
    for (const [event, timeout_ms] of [
      ["whoami", SHORT_MS],
      ["leave me", LONG_MS],
    ]) {
      const { answers, missing, complete } = await askFor({ event, to: { room }, timeout_ms });
      assert.deepEqual([answers.map(({ user }) => user), missing, complete], [[ann.name], 1, true]);
    }
  });

  test("an answer that is refused is missing, and the client learns why", async (t) => {
    const guest = await joinAsGuest(t, clientType, server, "guest", { room: unique("room") });
    const most = guest.welcome.limits.bodyBytesMax;
    guest.answerAsks("whoami", () => ["x".repeat(most)]);
    const body = { event: "whoami", to: { user: guest.name }, timeout_ms: SHORT_MS };
    const { answers, missing } = await askFor(body);
    assert.deepEqual([answers, missing], [[], 1]);
    assert.equal((await guest.next("error message")).code, "message_too_large");
  });

  /** The outcome of an ask that is accepted. */
  async function askFor(body) {
    const answer = await callApi(server, "ask", { timeout_ms: LONG_MS, ...body });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer.body;
  }
}

/** The address of a connection on all nodes. */
export function addressOf({ welcome: { node, connection } }) {
  return `${node}.${connection}`;
}

function byConnection(one, other) {
  return one.connection < other.connection ? -1 : 1;
}
