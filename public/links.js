// Finds links in the text of a message. Only addresses of the web and of mail become links.

const SCHEMES = new Set(["http:", "https:", "mailto:"]);

const ADDRESS = /(?:https?:\/\/|www\.|mailto:)[^\s<>"`\\^{|}]{1,2000}/iy;
const NAMED = /\[([^[\]\n]{1,300})\]\(((?:https?:\/\/|mailto:)[^\s()<>]{1,2000})\)/iy;

/** What ends a sentence or emphasis, and not an address. */
const TRAILING = new Set(".,:;!?'\"*_~)]…");

/** What begins at `at` as `{length, node}`: a link, or the text of an address that is not safe. */
export function linkAt(text, at) {
  const found = matchAt(ADDRESS, text, at)?.[0];
  if (!found) return null;
  const address = withoutTrailing(found);
  const href = safeHref(address);
  if (!href) return { length: found.length, node: found };
  return { length: address.length, node: { kind: "link", href, text: address } };
}

/** The link `[name](address)` at `at`; a name that looks like another address is none. */
export function namedLinkAt(text, at) {
  const found = matchAt(NAMED, text, at);
  if (!found) return null;
  const [{ length }, name, address] = found;
  const href = safeHref(address);
  if (!href || name.trim() === "" || pretends(name, href)) return null;
  return { length, node: { kind: "link", href, text: name } };
}

/** The address as a browser reads it, or null for one that is not safe or not complete. */
export function safeHref(address) {
  try {
    const url = new URL(/^www\./i.test(address) ? `https://${address}` : address);
    const isComplete =
      url.protocol === "mailto:" ? url.pathname.includes("@") : url.hostname !== "";
    return SCHEMES.has(url.protocol) && isComplete ? url.href : null;
  } catch {
    return null;
  }
}

/** Whether `name` looks like an address, and the link leads to another place. */
function pretends(name, href) {
  const looks = /:\/\/|[^\s.]\.[^\s.]{2}|@/.test(name);
  return looks && safeHref(name.trim()) !== href;
}

function matchAt(pattern, text, at) {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

/** A bracket at the end belongs to the address if it was opened there: `…/Rust_(language)`. */
function withoutTrailing(address) {
  let unopened = 0;
  for (const letter of address) unopened += letter === ")" ? 1 : letter === "(" ? -1 : 0;
  let end = address.length;
  while (TRAILING.has(address[end - 1])) {
    if (address[end - 1] === ")") {
      if (unopened <= 0) break;
      unopened -= 1;
    }
    end -= 1;
  }
  return address.slice(0, end);
}
