// What the log says above INFO while something is broken, and only then.

/** A node that does not hear the others. */
export const BUS_DISCONNECTED = [/\bbus\b|redis/i];

/** A node that cannot store, or read what is stored. */
export const STORE_UNAVAILABLE = [/stored|the store|postgres/i];
