// Polling, for conditions that no event reports.

import { TIMEOUT_MS, withTimeout } from "./timeouts.mjs";
import { interval } from "./timers.mjs";

const PAUSE_MS = 50;

/** Polls `condition` until it holds, or fails after the timeout. */
export async function waitUntil(what, condition, timeoutMs = TIMEOUT_MS) {
  const end = performance.now() + timeoutMs;
  for await (const _ of interval(PAUSE_MS)) {
    const left = end - performance.now();
    if (left <= 0) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    if (await withTimeout(what, condition(), Math.ceil(left))) return;
  }
}
