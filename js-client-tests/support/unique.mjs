// Names that no other test uses.

import { randomBytes } from "node:crypto";

/** `ann-3f9a12c4`: short enough for a user, valid for a room or a message id. */
export function unique(base) {
  return `${base}-${randomBytes(4).toString("hex")}`;
}
