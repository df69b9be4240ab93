// The last messages of the conversations that were open, for a start without the server, with the
// names of their authors. They are in a cache of this browser, for all tabs, until the user signs
// out. Browsers have caches only where the page is secure; without them nothing is kept.

import { bodyMark } from "./body.js";
import { forgetImages, imageOf, keepImages, withImage } from "./kept-images.js";
import { nameOf } from "./names.js";

const CACHE = "roomcast-messages";
const ENTRIES_MAX = 50;
const CONVERSATIONS_MAX = 20;
const TEXT_CHARACTERS_MAX = 4_000;
const WAIT_MS = 1_000;

let timer = null;
let written = ""; // the newest content that was written
let work = Promise.resolve(); // one change after the other

/** Keeps the conversation that `opened()` returns a moment later. */
export function keepSoon(state, opened) {
  timer ??= setTimeout(() => {
    timer = null;
    keep(state, opened());
  }, WAIT_MS);
}

function keep({ user, epoch }, { key, kind, name, role, loaded, entries }) {
  if (user === null || !loaded || !globalThis.caches) return;
  const last = entries.slice(-ENTRIES_MAX).map((it) => ({ ...it }));
  const images = [];
  for (const entry of last) {
    const { seq, editedAt, body } = entry;
    const found = imageOf(key, `${epoch}/${seq}/${editedAt ?? ""}`, body);
    if (found) images.push(found.image);
    entry.body = found
      ? { path: found.image.path, body: found.body, text: bodyText(body) }
      : bodyText(body);
  }
  const names = namesOf([user, ...(kind === "direct" ? [name] : []), ...last.flatMap(usersOf)]);
  const text = JSON.stringify({ user, epoch, key, role, entries: last, names });
  if (text === written) return;
  written = text;
  change(async () => {
    const cache = await caches.open(CACHE);
    // Replaces what was there at once, and is the last of the keys.
    await cache.put(placeOf(key), new Response(text));
    const all = await cache.keys();
    for (const old of all.slice(0, -CONVERSATIONS_MAX)) await cache.delete(old);
    await keepImages(key, images);
  });
}

const usersOf = ({ author, by, deletedBy, later }) => [author, by, deletedBy, later];

/** The display names of those who have one. */
const namesOf = (users) =>
  Object.fromEntries(users.filter((it) => it && nameOf(it) !== it).map((it) => [it, nameOf(it)]));

/** What is kept, the newest last: `{user, epoch, key, role, entries, names}`. */
export async function keptMessages() {
  if (!globalThis.caches) return [];
  try {
    const kept = await stored();
    for (const entry of kept.flatMap(({ entries }) => entries)) {
      const { body } = entry;
      // All other bodies are texts.
      if (typeof body?.path === "string") entry.body = (await withImage(body)) ?? body.text;
    }
    return kept;
  } catch {
    return [];
  }
}

async function stored() {
  const cache = await caches.open(CACHE);
  const all = await Promise.all((await cache.keys()).map((it) => cache.match(it)));
  return Promise.all(all.filter(Boolean).map((it) => it.json()));
}

/** Forgets what is kept, unless it is of `user`: another tab may have kept it. */
export function forgetMessages(user) {
  clearTimeout(timer);
  timer = null;
  written = "";
  if (!globalThis.caches) return;
  change(async () => {
    if (user !== null && (await isOnlyOf(user))) return;
    await Promise.all([caches.delete(CACHE), forgetImages()]);
  });
}

const isOnlyOf = (user) =>
  stored().then(
    (kept) => kept.every((it) => it.user === user),
    () => false,
  );

/** A page without space for more still works; it only starts without messages. */
function change(step) {
  work = work.then(step).catch(() => {});
}

const placeOf = (key) => `/kept/${encodeURIComponent(key)}`;

/** What is shown in place of bytes that are not kept. */
function bodyText(body) {
  if (body === null || body === undefined) return body;
  if (body?.image instanceof ArrayBuffer) return `[${body.name || "Image"}]`;
  const text = typeof body === "string" ? body : bodyMark(body);
  return text.length > TEXT_CHARACTERS_MAX ? `${text.slice(0, TEXT_CHARACTERS_MAX)}…` : text;
}
