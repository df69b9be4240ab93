// Makes and arranges elements; data only ever becomes text, never markup.

/** Makes an element with `properties` set and `children` (elements or text) inside. */
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

const rowsOf = new WeakMap();

/**
 * Makes the children of `parent` those of `items`, keeping the element of every key that stays:
 * focus, selection and what a screen reader has read survive.
 */
export function arrange(parent, items, { key, create, update }) {
  const before = rowsOf.get(parent) ?? new Map();
  const after = new Map();
  for (const item of items) after.set(key(item), before.get(key(item)) ?? create(item));
  for (const [gone, row] of before) if (!after.has(gone)) row.remove();
  let next = parent.firstChild;
  for (const item of items) {
    const row = after.get(key(item));
    update?.(row, item);
    if (row === next) next = next.nextSibling;
    else parent.insertBefore(row, next);
  }
  rowsOf.set(parent, after);
}

/** Sets `text` only when it is another, so that live regions stay silent. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
