// A roving tabindex for the buttons of all messages: one tab stop at the newest, arrow keys move
// it.

/** `settle()` must be called when the messages change. */
export function makeRoving(list) {
  let current = null;
  const all = () => [...list.querySelectorAll(".tools")];

  function settle() {
    const groups = all();
    const isFree = !list.contains(document.activeElement);
    if (isFree || !groups.includes(current)) current = groups.at(-1) ?? null;
    for (const group of groups) {
      for (const button of group.querySelectorAll("button")) {
        button.tabIndex = group === current ? 0 : -1;
      }
    }
  }

  list.addEventListener("focusin", ({ target }) => {
    const group = target.closest(".tools");
    if (group === null || group === current) return;
    current = group;
    settle();
  });

  list.addEventListener("keydown", (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const from = event.target.closest(".tools");
    if (step === undefined || from === null) return;
    const groups = all();
    const to = groups[groups.indexOf(from) + step];
    if (!to) return;
    event.preventDefault();
    const kind = event.target.classList.contains("edit") ? ".edit" : ".delete";
    (to.querySelector(kind) ?? to.querySelector("button")).focus();
  });

  return { settle };
}
