// Lists of the HTTP API, page by page. docs/api.md.

import assert from "node:assert/strict";

import { askApi } from "./api.mjs";

/** The answer to a question with these parameters. */
export async function readQuestion(server, route, parameters = {}) {
  const answer = await askApi(server, `${route}?${new URLSearchParams(parameters)}`);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body;
}

/** The most pages that a test has: a cursor that does not move fails. */
const PAGES_MAX = 100;

/** All pages of a list, and the items of all of them. */
export async function readPages(server, route, parameters) {
  const pages = [];
  let next;
  do {
    pages.push(await readQuestion(server, route, { ...parameters, ...(next && { after: next }) }));
    next = pages.at(-1).next;
    assert.ok(pages.length <= PAGES_MAX, `the cursor does not move: ${next}`);
  } while (next !== undefined);
  const items = pages.flatMap((page) => page[route.split("/").at(-1)]);
  return { items, pages };
}
