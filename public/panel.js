// A panel that a button opens, and that Escape or a click outside closes.

/**
 * `toggled(isOpen)` is called when it opens or closes; the button regains the focus if no other
 * element has it.
 */
export function makePanel(button, panel, toggled = () => {}) {
  const isOpen = () => !panel.hidden;

  function set(open) {
    if (open === isOpen()) return;
    const hadFocus = panel.contains(document.activeElement);
    panel.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    if (open) panel.focus();
    else if (hadFocus) button.focus();
    toggled(open);
  }

  panel.tabIndex = -1;
  button.setAttribute("aria-expanded", "false");
  button.addEventListener("click", () => set(!isOpen()));
  panel.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.isComposing) return;
    event.stopPropagation();
    set(false);
  });
  document.addEventListener("pointerdown", ({ target }) => {
    if (!panel.contains(target) && !button.contains(target)) set(false);
  });
  return { close: () => set(false) };
}
