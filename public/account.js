// The session with the server, in a cookie that scripts cannot read.

const PATH = "/api/session";
const ANSWER_WAIT_MS = 10_000;

/**
 * The session of this browser: `{ok: true, user, …}`, or `{ok: false, code}`; without a session,
 * `{ok: false}`.
 */
export const fetchSession = () => call("GET");

/**
 * Creates a session with `{name}` or `{token}`; returns the same as `fetchSession`, and in `since`
 * when a guest came, by the clock of the server. It is null for a user of a token.
 */
export const beginSession = (claim) => call("POST", claim);

/** Ends the session, in every tab. */
export const endSession = () => call("DELETE");

async function call(method, claim) {
  const request = { method, cache: "no-store", signal: AbortSignal.timeout(ANSWER_WAIT_MS) };
  if (claim) {
    request.headers = { "content-type": "application/json" };
    request.body = JSON.stringify(claim);
  }
  try {
    const response = await fetch(PATH, request);
    const answer = response.status === 204 ? {} : await response.json();
    const since = claim && { since: claim.name === undefined ? null : dateOf(response) };
    return { ...answer, ...since, ok: response.ok && answer !== null };
  } catch {
    return { ok: false, code: "unanswered" };
  }
}

/** In whole seconds, so it is never later than the answer. */
const dateOf = ({ headers }) => Date.parse(headers.get("date") ?? "") || null;
