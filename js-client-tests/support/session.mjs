// Cookie sessions as a page has them: /api/session.

import assert from "node:assert/strict";

import { exchange } from "./http.mjs";

const PATH = "/api/session";
const NAME = "roomcast_session";

/** Begins a session with `claim`, an object or a text as it is. */
export function begin(server, claim, headers = {}) {
  const body = typeof claim === "string" ? claim : JSON.stringify(claim);
  const type = { "content-type": "application/json" };
  return exchange(server, PATH, { method: "POST", headers: { ...type, ...headers }, body });
}

/** Whose session `headers` belong to. */
export function look(server, headers = {}) {
  return exchange(server, PATH, { headers });
}

/** Ends the session that `headers` belong to. */
export function end(server, headers = {}) {
  return exchange(server, PATH, { method: "DELETE", headers });
}

/** A session, as the headers that carry it from then on. */
export async function signedIn(server, claim) {
  const answer = await begin(server, claim);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return carrying(cookieOf(answer).value);
}

/** The header in which a browser sends the cookie. */
export function carrying(value) {
  return { cookie: `${NAME}=${value}` };
}

/** The one cookie that an answer sets: `{ value, flags }`, the flags sorted. */
export function cookieOf({ headers }) {
  const [text, ...others] = headers["set-cookie"] ?? [];
  assert.ok(text?.startsWith(`${NAME}=`), `no session cookie: ${text}`);
  assert.deepEqual(others, [], "another cookie");
  const [pair, ...flags] = text.split(/; */);
  return { value: pair.slice(NAME.length + 1), flags: flags.sort() };
}

/** Whether an answer takes the cookie away. */
export function isCleared(answer) {
  const { value, flags } = cookieOf(answer);
  const gone = flags.some((it) => {
    const [key, when] = it.toLowerCase().split("=");
    return (
      (key === "max-age" && Number(when) <= 0)
      || (key === "expires" && Date.parse(when) <= Date.now())
    );
  });
  return value === "" && gone;
}
