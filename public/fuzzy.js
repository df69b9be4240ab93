// How well a name matches what was typed. No DOM, network or clock.

/** Lower case, without accents, and with letters of equal meaning made the same. */
export const plain = (text) =>
  text
    .normalize("NFKD")
    .replace(/\p{M}+/gu, "")
    .toLowerCase();

/**
 * 0 if `name` does not match `query`, and more for a better match: the letters in their order, one
 * piece, the beginning of a word, the beginning, all of it.
 */
export function score(query, name) {
  const [wanted, text] = [plain(query).trim(), plain(name)];
  if (wanted === "") return 1;
  const at = text.indexOf(wanted);
  if (at < 0) return isSpread(wanted, text) ? 1 : 0;
  if (text === wanted) return 5;
  if (at === 0) return 4;
  return startsWord(text, wanted) ? 3 : 2;
}

function startsWord(text, wanted) {
  for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + 1)) {
    if (at === 0 || /[^\p{L}\p{N}]$/u.test(text.slice(0, at))) return true;
  }
  return false;
}

/** Whether `text` has the letters of `wanted` in this order. */
function isSpread(wanted, text) {
  let at = 0;
  for (const letter of wanted) {
    if (letter === " ") continue;
    at = text.indexOf(letter, at);
    if (at < 0) return false;
    at += letter.length;
  }
  return true;
}

/** The items that match, the best first; equal ones keep their order. `nameOf(item)` is matched. */
export function best(query, items, nameOf) {
  return items
    .map((item) => ({ item, rank: score(query, nameOf(item)) }))
    .filter(({ rank }) => rank > 0)
    .sort((a, b) => b.rank - a.rank)
    .map(({ item }) => item);
}
