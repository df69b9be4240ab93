// The sign-in form. The server puts this module and what it imports into the document: the form
// asks for the session at once, and works before the rest of the page is loaded.

import { beginSession, fetchSession } from "./account.js";
import { setText } from "./dom.js";
import { needsToken, refusal, refusedClaim, requiresSignIn, signInLine } from "./words.js";

const $ = (id) => document.getElementById(id);

const form = { isOpen: false, busy: false, byToken: false, code: "", problem: "" };
let entered = null;
let early = null; // the session of a user who signed in before `onEnter`

/** The session of this browser at the start, as `fetchSession` returns it. */
export const firstSession = fetchSession();

export const isOpen = () => form.isOpen;
export const isBusy = () => form.busy;

/** Opens the form; with a code, it shows the reason. */
export function open(code = "", message) {
  const byToken = form.byToken || needsToken(code);
  const problem = code === "" || requiresSignIn(code) ? "" : refusal(code, message);
  draw({ isOpen: true, busy: false, byToken, code, problem });
}

export function close() {
  draw({ isOpen: false, busy: false, code: "", problem: "" });
}

/** Calls `callback` with the session of each user who signs in; returns whether one already has. */
export function onEnter(callback) {
  entered = callback;
  if (early) callback(early);
  return early !== null;
}

$("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = $("name").value.trim();
  void signIn(form.byToken ? { token: $("token").value.trim() } : { name });
});
$("reload").addEventListener("click", () => location.reload());
$("app").addEventListener("error", async () => {
  await firstSession; // which may open the form
  close();
  $("incomplete").hidden = false;
});
void firstSession.then(({ ok, code }) => {
  // The rest of the page decides about a session that ended, and about a silent server.
  if (!ok && code === undefined) open();
});

/** `claim` is `{name}` or `{token}`. The form stays busy until the page has the session. */
async function signIn(claim) {
  if (form.busy) return;
  draw({ busy: true, code: "", problem: "" });
  const who = await beginSession(claim);
  const { ok, code, message } = who;
  if (ok && entered) entered(who);
  else if (ok) early = who;
  else if (needsToken(code)) open(code);
  else draw({ busy: false, code, problem: refusedClaim(claim, code, message) });
}

function draw(change) {
  const before = { ...form };
  Object.assign(form, change);
  const { busy, byToken, code, problem } = form;
  const field = byToken ? $("token") : $("name");
  $("sign-in-screen").hidden = !form.isOpen;
  $("by-name").hidden = byToken;
  $("by-token").hidden = !byToken;
  setText($("lead"), signInLine(problem === "" ? code : "", byToken));
  setText($("sign-in-problem"), problem);
  $("sign-in").dataset.code = code;
  $("sign-in").setAttribute("aria-busy", String(busy));
  field.setAttribute("aria-invalid", String(problem !== ""));
  // The token does not stay in the page.
  if (!form.isOpen) $("token").value = "";
  if (form.isOpen && (!before.isOpen || byToken !== before.byToken)) field.focus();
}
