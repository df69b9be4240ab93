// The history of a conversation, as a device of random scenarios reads it, page by page.

import assert from "node:assert/strict";

import { assertOk } from "./assert.mjs";
import { visibleMessages } from "./replica-device.mjs";

const PAGE = 7;

/** Compares the replica, history in both directions, and the reference model. */
export async function compareLog(device, place) {
  const what = `${device.label}: ${JSON.stringify(place.address(device.user))}`;
  const forth = await historyFrom(device, place, { after: 0 });
  const back = await historyFrom(device, place, {});
  assert.deepEqual(back, forth, `${what}, backwards`);
  assert.equal(forth.length, place.head, what);
  const seen = device.visibleMessages(place.address(device.user));
  assert.deepEqual(visibleMessages(forth), seen, `${what}, history and replica`);
  const expected = place.messages.map(({ seq, id, author, at, body, editedAt, deleted }) => ({
    seq,
    id,
    author,
    at,
    body,
    editedAt,
    deleted,
  }));
  const sent = seen.map(({ deletedBy: _, ...it }) => it);
  assert.deepEqual(sent, expected, `${what}, replica and model`);
}

/** Entries of a conversation, oldest first: those after `after`, or all, read from the end. */
export async function historyFrom(device, place, { after }) {
  const entries = [];
  for (let more = true; more; ) {
    const forwards = after !== undefined;
    const end = forwards ? (entries.at(-1)?.seq ?? after) : entries[0]?.seq;
    const range = forwards ? { after: end } : { before: end };
    const asked = { ...place.address(device.user), limit: PAGE, ...range };
    const page = assertOk(await device.ask("history", asked));
    assert.ok(page.messages.length <= PAGE);
    if (forwards) entries.push(...page.messages);
    else entries.unshift(...page.messages);
    ({ more } = page);
  }
  return entries;
}
