// Actions of the open conversation: mute, leave, invite and remove users.

import { setText } from "./dom.js";
import { nameOf } from "./names.js";
import { makePanel } from "./panel.js";
import { isAdminOf, LOBBY } from "./state.js";
import { roleLine } from "./words.js";

const $ = (id) => document.getElementById(id);

/** `invite(user, role)` and `kick(user)` return `{ok, text}`; `mute()` the problem, or nothing. */
export function makeDetails({ mute, leave, invite, kick, done }) {
  const panel = makePanel($("details-button"), $("details"), () => say({ ok: true, text: "" }));
  let shown = null;

  $("leave").addEventListener("click", () => {
    panel.close();
    leave();
    done();
  });
  $("mute").addEventListener("click", async () => say(await mute()));
  $("invite").addEventListener("submit", (event) => {
    event.preventDefault();
    void manage((user) => invite(user, $("invite-role").value));
  });
  $("kick").addEventListener("click", () => manage(kick));

  async function manage(ask) {
    const field = $("invite-name");
    const user = field.value.trim();
    if (user === "") return field.focus();
    const answer = await ask(user);
    say(answer);
    if (answer.ok) field.value = "";
  }

  function say({ ok, text }) {
    setText($("details-problem"), ok ? "" : text);
    setText($("details-done"), ok ? text : "");
  }

  return function draw(state, talk) {
    const isRoom = talk.kind === "room";
    if (shown !== talk.key) say({ ok: true, text: "" });
    shown = talk.key;
    const what = isRoom ? "room" : "conversation";
    setText($("details-heading"), isRoom ? talk.name : nameOf(talk.name));
    setText($("role"), isRoom ? roleLine(talk.role) : "");
    setText($("mute"), talk.muted ? "Unmute" : "Mute");
    $("mute").setAttribute("aria-label", `${talk.muted ? "Unmute" : "Mute"} ${what}`);
    $("leave").hidden = isRoom && talk.name === LOBBY;
    $("leave").setAttribute("aria-label", isRoom ? "Leave room" : "Close conversation");
    setText($("leave"), isRoom ? "Leave" : "Close");
    $("invite").hidden = !isAdminOf(state, talk);
  };
}
