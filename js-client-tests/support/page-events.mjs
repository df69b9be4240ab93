// What a page has of events, for the official client: it looks for them when it is loaded, so import
// this module first.

const listeners = new Map();

globalThis.addEventListener = (name, listener) => {
  if (!listeners.has(name)) listeners.set(name, new Set());
  listeners.get(name).add(listener);
};

globalThis.removeEventListener = (name, listener) => {
  listeners.get(name)?.delete(listener);
};

/** Calls the listeners of the page, as the browser does. */
export function dispatchPageEvent(name) {
  for (const listener of listeners.get(name) ?? []) listener();
}
