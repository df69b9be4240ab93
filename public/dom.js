// Creates and arranges elements; data only becomes text, never markup.

/** Creates an element with `properties` and `children` (elements or text). */
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

/** An icon of 20 × 20 units, drawn as a line along `path`. */
export function icon(path) {
  const svg = document.createElementNS(SVG, "svg");
  const attributes = { viewBox: "0 0 20 20", width: 18, height: 18, "aria-hidden": "true" };
  for (const [name, value] of Object.entries(attributes)) svg.setAttribute(name, value);
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

const rowsOf = new WeakMap();

/**
 * Arranges the children of `parent` as `items`. Elements of known keys are kept, and with them
 * focus, selection and the position of a screen reader.
 */
export function arrange(parent, items, { key, create, update }) {
  const before = rowsOf.get(parent) ?? new Map();
  const after = new Map();
  for (const item of items) after.set(key(item), before.get(key(item)) ?? create(item));
  for (const [gone, row] of before) if (!after.has(gone)) row.remove();
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  let next = parent.firstChild;
  for (const item of items) {
    const row = after.get(key(item));
    update?.(row, item);
    if (row === next) next = next.nextSibling;
    else parent.insertBefore(row, next);
  }
  rowsOf.set(parent, after);
  // An element that moves loses the focus.
  if (focused?.isConnected && focused !== document.activeElement) {
    focused.focus({ preventScroll: true });
  }
}

/** Sets `text` only when it changes, so that live regions stay silent. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
