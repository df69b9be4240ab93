// Markers at the ends of a scrolled list: how many unread conversations are out of view. A click
// scrolls to the nearest of them.

import { setText } from "./dom.js";

/** A row counts as visible when at least so much of it is. */
const VISIBLE_PX = 12;

/** `refresh()` must be called when the rows change. */
export function makeUnreadMarkers(list, { above, below }) {
  let isDue = false;

  function refresh() {
    if (!isDue) requestAnimationFrame(update);
    isDue = true;
  }

  function update() {
    isDue = false;
    const { above: over, below: under } = outOfView();
    draw(above, over, "above");
    draw(below, under, "below");
  }

  function outOfView() {
    const { top, bottom } = list.getBoundingClientRect();
    const found = { above: [], below: [] };
    for (const row of list.querySelectorAll(".row.waiting")) {
      const place = row.getBoundingClientRect();
      if (place.bottom < top + VISIBLE_PX) found.above.push(row);
      else if (place.top > bottom - VISIBLE_PX) found.below.push(row);
    }
    return found;
  }

  function draw(marker, rows, where) {
    // A marker that disappears while it has the focus must not lose it to the page.
    if (rows.length === 0 && marker === document.activeElement) list.focus({ preventScroll: true });
    marker.hidden = rows.length === 0;
    const count = `${rows.length} unread`;
    setText(marker.querySelector("span"), count);
    marker.setAttribute("aria-label", `${count} ${where}`);
  }

  above.addEventListener("click", () => outOfView().above.at(-1)?.scrollIntoView(INTO_VIEW));
  below.addEventListener("click", () => outOfView().below[0]?.scrollIntoView(INTO_VIEW));
  list.addEventListener("scroll", refresh, { passive: true });
  new ResizeObserver(refresh).observe(list);
  return { refresh };
}

const INTO_VIEW = { block: "center" };
