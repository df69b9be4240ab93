// Cookie sessions of the page: /api/session.

import assert from "node:assert/strict";

import { httpRequest } from "./http.mjs";

const PATH = "/api/session";
const NAME = "roomcast_session";

/** Creates a session with `claim`, an object or the body as it is sent. */
export function createSession(server, claim, headers = {}) {
  const body = typeof claim === "string" ? claim : JSON.stringify(claim);
  const type = { "content-type": "application/json" };
  return httpRequest(server, PATH, { method: "POST", headers: { ...type, ...headers }, body });
}

/** The session that `headers` carry. */
export function getSession(server, headers = {}) {
  return httpRequest(server, PATH, { headers });
}

/** Ends the session that `headers` carry. */
export function deleteSession(server, headers = {}) {
  return httpRequest(server, PATH, { method: "DELETE", headers });
}

/** Creates a session; returns the request headers that carry its cookie. */
export async function signIn(server, claim) {
  const answer = await createSession(server, claim);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return cookieHeader(sessionCookie(answer).value);
}

/** The request header with the session cookie. */
export function cookieHeader(value) {
  return { cookie: `${NAME}=${value}` };
}

/** The only cookie that an answer sets: `{ value, flags }`, the flags sorted. */
export function sessionCookie({ headers }) {
  const [text, ...others] = headers["set-cookie"] ?? [];
  assert.ok(text?.startsWith(`${NAME}=`), `no session cookie: ${text}`);
  assert.deepEqual(others, [], "more than one cookie");
  const [pair, ...flags] = text.split(/; */);
  return { value: pair.slice(NAME.length + 1), flags: flags.sort() };
}

/** Whether an answer deletes the cookie. */
export function clearsCookie(answer) {
  const { value, flags } = sessionCookie(answer);
  const gone = flags.some((it) => {
    const [key, when] = it.toLowerCase().split("=");
    return (
      (key === "max-age" && Number(when) <= 0)
      || (key === "expires" && Date.parse(when) <= Date.now())
    );
  });
  return value === "" && gone;
}
