// The official client's files, served like the official server serves them.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { fetchText } from "../support/raw-clients.mjs";
import { serverForThisFile } from "../support/server.mjs";

const server = serverForThisFile();

const FILES = ["", ".min", ".esm.min", ".msgpack.min"].map((kind) => `socket.io${kind}.js`);

for (const file of [...FILES, ...FILES.map((it) => `${it}.map`)]) {
  test(`${file} is the one from the npm package`, async () => {
    const { status, headers, body } = await fetchText(`${server.url}/socket.io/${file}`);
    assert.equal(status, 200);
    const type = file.endsWith(".map") ? /^application\/json/ : /^(application|text)\/javascript/;
    assert.match(headers.get("content-type"), type);
    const original = new URL(`../node_modules/socket.io-client/dist/${file}`, import.meta.url);
    assert.ok(body === (await readFile(original, "utf8")), "a different file");
  });

  test(`${file} is answered with 304 to a client that has it`, async () => {
    const url = `${server.url}/socket.io/${file}`;
    const etag = (await fetchText(url)).headers.get("etag");
    assert.match(etag, /^(W\/)?".+"$/);
    for (const known of [etag, `W/${etag.replace("W/", "")}`, `"other", ${etag}`]) {
      const { status, body } = await fetchText(url, { headers: { "if-none-match": known } });
      assert.deepEqual([status, body], [304, ""], known);
    }
    const other = await fetchText(url, { headers: { "if-none-match": '"other"' } });
    assert.equal(other.status, 200);
  });
}

test("a file that is not part of the client is not found", async () => {
  for (const path of ["socket.io.exe", "nothing.js", "..%2fpackage.json", "socket.io.js.map.map"]) {
    const { status } = await fetchText(`${server.url}/socket.io/${path}`);
    assert.equal(status, 404, path);
  }
});
