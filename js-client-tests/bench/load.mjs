// The load that the measurements of one node and of several nodes share.

export const TEXT = "x".repeat(64);

/** Clients that connect at the same time, where connecting is not measured. */
export const CONNECTING_MAX = 50;

/** From the last connect until all presence events were delivered. */
export const SETTLE_MS = 3000;

/** Per sender. */
export const MESSAGES_PER_SECOND = 20;

/** Messages that a sender sends before the first acknowledgement is awaited. */
export const WINDOW = 50;

/** Windows that all receivers of a room together may be behind. */
export const WINDOWS_BEHIND_MAX = 4;

export const FLOOD_SECONDS = 5;
