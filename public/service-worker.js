// Shows the page while the server cannot be reached.
//
// It keeps the document and the files of one version, which its own address names. The document comes
// from the server whenever that answers, so nobody sees an old page where there is a new one. All
// other requests pass it by.
//
// A browser may run the worker of an older version for minutes after this one is installed. So the
// version is replaced at the installation, and a worker answers with the one that is kept.

const version = new URL(location.href).searchParams.get("version");
const PREFIX = "roomcast-page-";
const CACHE = `${PREFIX}${version}`;
const FILES = `/assets/${version}/`;

addEventListener("install", (event) => {
  event.waitUntil(
    keepVersion()
      .then(dropOtherVersions)
      .then(() => skipWaiting()),
  );
});

addEventListener("activate", (event) => {
  event.waitUntil(clients.claim());
});

addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin) return;
  if (request.mode === "navigate" && pathname === "/") event.respondWith(newest(request));
  else if (pathname.startsWith("/assets/")) event.respondWith(kept(request));
});

/** Another node of a cluster may still have another version: then this one is not kept. */
async function keepVersion() {
  const page = await fetch("/", { cache: "no-cache" });
  const text = await page.clone().text();
  if (!page.ok || !text.includes(FILES)) throw new Error(`the server has no version ${version}`);
  const files = text.match(/\/assets\/[^"]+/g);
  const cache = await caches.open(CACHE);
  await cache.addAll([...new Set(files)]);
  await cache.put("/", page);
}

async function dropOtherVersions() {
  const names = await caches.keys();
  const others = names.filter((it) => it.startsWith(PREFIX) && it !== CACHE);
  await Promise.all(others.map((it) => caches.delete(it)));
}

async function newest(request) {
  try {
    const response = await fetch(request);
    // What a proxy answers for a server that is down.
    if (response.status < 500) return response;
    return (await keptAt("/")) ?? response;
  } catch (error) {
    const page = await keptAt("/");
    if (page) return page;
    throw error;
  }
}

const kept = async (request) => (await keptAt(request)) ?? fetch(request);

// Not in the cache of this version, which a newer one may have dropped.
const keptAt = (place) => caches.match(place, { ignoreVary: true });
