// Ids that nobody else has.

/** A UUID; elsewhere than on TLS or this machine, where there is none, as much chance. */
export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (it) => it.toString(16).padStart(2, "0")).join("");
}
