// Asking again and again, where nobody says when it is so.

import { PATIENCE, within } from "./patience.mjs";
import { every } from "./ticks.mjs";

const PAUSE_MS = 50;

/** Asks `isSo` until it says yes, and gives up in time. */
export async function again(what, isSo, patience = PATIENCE) {
  const end = performance.now() + patience;
  for await (const _ of every(PAUSE_MS)) {
    const left = end - performance.now();
    if (left <= 0) throw new Error(`waited ${patience} ms for ${what}`);
    if (await within(what, isSo(), Math.ceil(left))) return;
  }
}
