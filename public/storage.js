// The browser's storage. A browser without it still works; it only forgets.

/** `kind` is `localStorage` or `sessionStorage`. */
export function read(kind, key) {
  try {
    return window[kind].getItem(key);
  } catch {
    return null;
  }
}

/** The stored JSON, or null. */
export function readJson(kind, key) {
  try {
    return JSON.parse(read(kind, key));
  } catch {
    return null;
  }
}

/** Stores `text`; null removes it. */
export function write(kind, key, text) {
  try {
    if (text === null) window[kind].removeItem(key);
    else window[kind].setItem(key, text);
  } catch {
    return;
  }
}
