// Log lines above INFO that a fault causes; without the fault they fail a test.

/** A node is disconnected from the bus. */
export const BUS_DISCONNECTED = [/\bbus\b|redis/i];

/** A node cannot reach its store. */
export const STORE_UNAVAILABLE = [/stored|the store|postgres/i];
