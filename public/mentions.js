// Mentions: `@name` in a text.

const WORD = /[\p{L}\p{N}_]/u;

/**
 * `names` are those of other people, `own` those of the reader. Returns a function that answers with
 * `{length, isOwn}` for a mention that begins at `at` in `text`, or null. Case does not matter.
 */
export function makeMentionFinder(names, own) {
  const known = new Map();
  for (const name of names) known.set(name.toLowerCase(), false);
  for (const name of own) known.set(name.toLowerCase(), true);
  // Of "Ann" and "Ann Lee", the longer one counts.
  const lengths = [...new Set([...known.keys()].map(({ length }) => length))].sort((a, b) => b - a);
  return (text, at) => {
    for (const length of lengths) {
      const end = at + 1 + length;
      const isOwn = known.get(text.slice(at + 1, end).toLowerCase());
      if (isOwn !== undefined && end <= text.length && !WORD.test(text[end] ?? "")) {
        return { length: length + 1, isOwn };
      }
    }
    return null;
  };
}

/** Whether `text` mentions one of `names`, in any case of letters. */
export function mentions(text, names) {
  const plain = text.toLowerCase();
  return names.some((name) => {
    const wanted = `@${name.toLowerCase()}`;
    for (let at = plain.indexOf(wanted); at >= 0; at = plain.indexOf(wanted, at + 1)) {
      if (stands(plain.slice(0, at), plain.slice(at + wanted.length))) return true;
    }
    return false;
  });
}

/** Neither an address (`me@ann`) nor the beginning of a longer name (`@anna`, `@ann-marie`). */
const stands = (before, after) =>
  !/[\p{L}\p{N}]$/u.test(before) && !/^[-_.]?[\p{L}\p{N}\p{M}]/u.test(after);
