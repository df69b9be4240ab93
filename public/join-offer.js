// The question whether to join the room of an address: a link alone makes nobody a member.

import { makeDialog } from "./dialog.js";
import { element, setText } from "./dom.js";

/** `join(name)` returns `{key}` or `{problem}`. */
export function makeJoinOffer({ join }) {
  let answer = () => {};
  let room = "";
  const name = element("bdi", { className: "name" });
  const problem = element("p", { className: "problem" });
  problem.setAttribute("role", "alert");
  const accept = element("button", { type: "button", className: "primary" }, "Join");
  const text = element("p", {}, "You are not in ", name, " yet. Others see who is in a room.");
  const choices = element("p", { className: "choices" }, accept);
  const dialog = makeDialog(
    { id: "join-offer", heading: "Join this room?", leave: "Not now", closed },
    text,
    problem,
    choices,
  );

  /** The event of a dialog comes later, when the next question may be open. */
  function closed() {
    if (!dialog.isOpen()) answer(null);
  }

  accept.addEventListener("click", async () => {
    const { key, problem: why = "" } = await join(room);
    setText(problem, why);
    if (!key) return;
    answer(key);
    dialog.close();
  });

  /**
   * Resolves with the key of the room, with null if the user does not join, or with undefined after
   * `withdraw`.
   */
  function ask(wanted) {
    room = wanted;
    setText(name, wanted);
    setText(problem, "");
    dialog.open();
    accept.focus();
    return new Promise((resolve) => {
      answer = resolve;
    });
  }

  /** The user has gone to another address. */
  function withdraw() {
    answer(undefined);
    dialog.close();
  }

  return { ask, withdraw };
}
