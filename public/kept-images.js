// The images of the messages that this browser keeps (see kept-messages.js): the newest ones, up to
// 50 of at most 1 MB each.

const CACHE = "roomcast-images";
const IMAGES_MAX = 50;
const BYTES_MAX = 1_000_000;

const folderOf = (key) => `/kept-images/${encodeURIComponent(key)}/`;

/**
 * A body without its bytes, and what they are: `{image: {path, bytes}, body}`; null for a body that
 * has no image, or one that is too large. `id` differs for each message of the conversation.
 */
export function imageOf(key, id, body) {
  const isBare = body instanceof ArrayBuffer;
  const bytes = isBare ? body : body?.image;
  if (!(bytes instanceof ArrayBuffer) || bytes.byteLength > BYTES_MAX) return null;
  const path = `${folderOf(key)}${encodeURIComponent(id)}`;
  return { image: { path, bytes }, body: isBare ? null : { ...body, image: null } };
}

/** Keeps the images of a conversation, in place of its former ones. */
export async function keepImages(key, images) {
  const cache = await caches.open(CACHE);
  const wanted = new Set(images.map(({ path }) => path));
  for (const { url } of await cache.keys()) {
    const { pathname } = new URL(url);
    if (pathname.startsWith(folderOf(key)) && !wanted.has(pathname)) await cache.delete(url);
  }
  for (const { path, bytes } of images) {
    if (!(await cache.match(path))) await cache.put(path, new Response(bytes));
  }
  const all = await cache.keys();
  for (const old of all.slice(0, -IMAGES_MAX)) await cache.delete(old);
}

/** The body with its bytes, or null if they are not kept any more. */
export async function withImage({ path, body }) {
  const found = await caches.match(path, { cacheName: CACHE });
  if (!found) return null;
  const image = await found.arrayBuffer();
  return body === null ? image : { ...body, image };
}

export const forgetImages = () => caches.delete(CACHE);
