// The suites of one node, on several nodes: each new connection goes to another node than the last.
//
// A suite is a chapter of docs/protocol.md as tests, which run over every transport and here.

import { describe } from "node:test";

import { devices } from "../suites/devices.mjs";
import { directMessages } from "../suites/direct-messages.mjs";
import { editsAndDeletions } from "../suites/edits-and-deletions.mjs";
import { guests } from "../suites/guests.mjs";
import { history } from "../suites/history.mjs";
import { memberList, roomDirectory } from "../suites/lists.mjs";
import { memberships, ROOM_SETTINGS } from "../suites/memberships.mjs";
import { notifications } from "../suites/notifications.mjs";
import { posting } from "../suites/posting.mjs";
import { presence, presenceQuery } from "../suites/presence.mjs";
import { readReceipts } from "../suites/read-receipts.mjs";
import { reconnecting, reconnectingToRooms } from "../suites/reconnect.mjs";
import { roles } from "../suites/roles.mjs";
import { rooms } from "../suites/rooms.mjs";
import { SPACES, spaces } from "../suites/spaces.mjs";
import { tokenClaims } from "../suites/token-claims.mjs";
import { typing, typingTimeout } from "../suites/typing.mjs";
import { nodesForThisFile } from "../support/cluster.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { wsJson } from "../support/ws.mjs";

const CLIENT_TYPES = [wsJson, socketIo("4.8", "polling")];

/** Suites that need rooms of any name, and those that need room policies. */
const SUITES = {
  editsAndDeletions,
  tokenClaims,
  devices,
  directMessages,
  guests,
  history,
  notifications,
  posting,
  presence,
  presenceQuery,
  readReceipts,
  reconnecting,
  reconnectingToRooms,
  rooms,
  spaces,
  typing,
  typingTimeout,
};
const ROOM_SUITES = { memberList, memberships, roles, roomDirectory };

// Longer than nodes take to announce a disconnect to each other.
const quick = { "limits.presence_grace_ms": 300 };
const readable = { "rooms.read_only": ["news-*"] };
const open = nodesForThisFile({ ...SPACES, ...quick, ...readable });
const ruled = nodesForThisFile(ROOM_SETTINGS);

for (const it of CLIENT_TYPES) {
  for (const [server, suites] of [
    [open.roundRobin, SUITES],
    [ruled.roundRobin, ROOM_SUITES],
  ]) {
    for (const [name, suite] of Object.entries(suites)) {
      describe(`${name} on several nodes over ${it.label}`, () => suite(it, server));
    }
  }
}
