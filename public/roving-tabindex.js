// A roving tabindex for the controls of all messages: one message at a time is reached by Tab, at
// first the newest with any, and arrow keys go to others.

/** `settle()` must be called when the messages change. */
export function makeRoving(list) {
  let current = null;

  // The buttons of a failed message stay reachable by Tab: its author has to act.
  const controlsOf = (row) => [
    ...row.querySelectorAll(".bubble a, .picture, .tools button, .confirmation button"),
  ];
  const all = () => [...list.children].filter((row) => controlsOf(row).length > 0);

  function settle() {
    const rows = all();
    const isFree = !list.contains(document.activeElement);
    if (isFree || !rows.includes(current)) current = rows.at(-1) ?? null;
    for (const row of rows) {
      for (const control of controlsOf(row)) control.tabIndex = row === current ? 0 : -1;
    }
  }

  list.addEventListener("focusin", ({ target }) => {
    const row = all().find((it) => it.contains(target));
    if (!row || row === current) return;
    current = row;
    settle();
  });

  list.addEventListener("keydown", (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const rows = all();
    const from = rows.findIndex((row) => controlsOf(row).includes(event.target));
    if (step === undefined || from < 0 || !rows[from + step]) return;
    event.preventDefault();
    const to = rows[from + step];
    const kind = event.target.className.split(" ")[0];
    const same = kind === "" ? null : to.querySelector(`.${kind}`);
    (same ?? controlsOf(to)[0]).focus();
  });

  return { settle };
}
