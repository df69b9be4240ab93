// Sections of the sidebar that fold, and stay so in this browser.

import { readJson, write } from "./storage.js";

const KEY = "roomcast-folded";

/** The buttons of class `fold` name their list in `aria-controls`. `toggled()` redraws. */
export function makeSections(toggled) {
  const stored = readJson("localStorage", KEY);
  const folded = new Set(Array.isArray(stored) ? stored : []);
  const buttons = [...document.querySelectorAll("button.fold")];
  const listOf = (button) => button.getAttribute("aria-controls");

  function draw() {
    for (const it of buttons) it.setAttribute("aria-expanded", String(!folded.has(listOf(it))));
  }

  function toggle(list) {
    if (!folded.delete(list)) folded.add(list);
    write("localStorage", KEY, JSON.stringify([...folded]));
    draw();
    toggled();
  }

  for (const button of buttons) button.addEventListener("click", () => toggle(listOf(button)));
  draw();
  return { isFolded: (list) => folded.has(list) };
}
