// The scroll position of the message log: it follows the end, or stays at a message.
//
// The layout shifts without the user: images load, windows resize, older pages arrive. So only a
// movement upwards ends following, and after each shift the position is restored from the message
// that was at the top of the view.

// Closer to the end than this counts as the end.
const END_SLACK_PX = 48;
const MARGIN_PX = 8;

/**
 * `list` has the rows of `log`; `hasEnd()` says whether the last of them is the end of the
 * conversation, which is followed; `moved()` is called when the user scrolls, after a shift, and never
 * within a call of the functions that are returned.
 */
export function makeScroll(log, list, moved, hasEnd) {
  let follows = true;
  let top = 0; // `scrollTop` as it is known here
  let anchor = null; // the first message in view, and its distance from the top of the view

  const endTop = () => log.scrollHeight - log.clientHeight;
  const isAtEnd = () => hasEnd() && endTop() - log.scrollTop < END_SLACK_PX;

  log.addEventListener("scroll", () => {
    const isUp = log.scrollTop < top - 1;
    top = log.scrollTop;
    if (isAtEnd()) follows = true;
    else if (isUp) follows = false;
    takeAnchor();
    moved();
  });

  const sizes = new ResizeObserver(() => {
    keep();
    moved();
  });
  sizes.observe(log);
  sizes.observe(list);

  function scrollTo(wanted) {
    log.scrollTop = wanted;
    top = log.scrollTop;
    takeAnchor();
  }

  function follow() {
    follows = true;
    scrollTo(log.scrollHeight);
  }

  /** Restores the position after the layout has changed. */
  function keep() {
    if (!hasEnd()) follows = false;
    if (follows) follow();
    else if (anchor?.row.isConnected) scrollTo(anchor.row.offsetTop - anchor.distance);
  }

  /** Puts `row` at the top of the view, unless all that follows it is in view at the end. */
  function startAt(row) {
    if (hasEnd() && endTop() <= row.offsetTop - MARGIN_PX) return follow();
    follows = false;
    scrollTo(row.offsetTop - MARGIN_PX);
  }

  /** Puts `row` in the middle of the view. */
  function center(row) {
    follows = false;
    scrollTo(row.offsetTop - (log.clientHeight - row.offsetHeight) / 2);
  }

  function takeAnchor() {
    const row = rowFrom(
      firstIndex((it) => it.offsetTop + it.offsetHeight > log.scrollTop),
      1,
    );
    anchor = row ? { row, distance: row.offsetTop - log.scrollTop } : null;
  }

  /** The last message in view; a tall one counts when half of the view shows it. */
  function lastInView() {
    const bottom = log.scrollTop + log.clientHeight + MARGIN_PX;
    const isBelow = (it) => it.offsetTop + Math.min(it.offsetHeight, log.clientHeight / 2) > bottom;
    return rowFrom(firstIndex(isBelow) - 1, -1);
  }

  /** The index of the first row that `matches`; all rows after it match, too. */
  function firstIndex(matches) {
    let [low, high] = [0, list.children.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (matches(list.children[middle])) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** The first message from `index` on: dividers depend on what precedes them. */
  function rowFrom(index, step) {
    for (let at = index; list.children[at]; at += step) {
      if (list.children[at].classList.contains("message")) return list.children[at];
    }
    return null;
  }

  return {
    follow,
    keep,
    startAt,
    center,
    lastInView,
    follows: () => follows,
    isFar: () => endTop() - log.scrollTop > log.clientHeight,
  };
}
