// The suites of one node, on several nodes: each new connection goes to another node than the last.
//
// A suite is a chapter of docs/protocol.md as tests, which run over every transport and here.

import { describe } from "node:test";

import { argumentFidelity } from "../suites/argument-fidelity.mjs";
import { backendEvents } from "../suites/backend-events.mjs";
import { customEvents, EVENT_SETTINGS } from "../suites/custom-events.mjs";
import { devices } from "../suites/devices.mjs";
import { directMessages } from "../suites/direct-messages.mjs";
import { editsAndDeletions } from "../suites/edits-and-deletions.mjs";
import { guests } from "../suites/guests.mjs";
import { history } from "../suites/history.mjs";
import { memberships, ROOM_SETTINGS } from "../suites/memberships.mjs";
import { notifications } from "../suites/notifications.mjs";
import { posting } from "../suites/posting.mjs";
import { presence, presenceQuery } from "../suites/presence.mjs";
import { randomScenarios, SCENARIO_SETTINGS } from "../suites/random-scenarios.mjs";
import { readReceipts } from "../suites/read-receipts.mjs";
import { reconnecting, reconnectingToRooms } from "../suites/reconnect.mjs";
import { roles } from "../suites/roles.mjs";
import { rooms } from "../suites/rooms.mjs";
import { SPACES, spaces } from "../suites/spaces.mjs";
import { tokenClaims } from "../suites/token-claims.mjs";
import { typing, typingTimeout } from "../suites/typing.mjs";
import { BackEnd } from "../support/back-end.mjs";
import { BARRIER } from "../support/bus-barrier.mjs";
import { clusterForThisFile } from "../support/cluster.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { SECRET } from "../support/tokens.mjs";
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
const ROOM_SUITES = { memberships, roles };

// Longer than nodes take to announce a disconnect to each other.
const quick = { "limits.presence_grace_ms": 300 };
const readable = { "rooms.read_only": ["news-*"] };
const open = clusterOf({ ...SPACES, ...quick, ...readable });
const ruled = clusterOf(ROOM_SETTINGS);
const long = clusterOf(SCENARIO_SETTINGS);
const eventful = clusterOf(EVENT_SETTINGS, 3);
const backEnd = await BackEnd.forThisFile();
const asking = clusterOf({ ...backEnd.settings(), "token.secret": SECRET });

for (const it of CLIENT_TYPES) {
  for (const [server, suites] of [
    [open.roundRobin, SUITES],
    [ruled.roundRobin, ROOM_SUITES],
    [eventful.roundRobin, { customEvents }],
  ]) {
    for (const [name, suite] of Object.entries(suites)) {
      describe(`${name} on several nodes over ${it.label}`, () => suite(it, server));
    }
  }
}

for (const it of CLIENT_TYPES) {
  describe(`a back end of two nodes over ${it.label}`, () =>
    backendEvents(it, asking.roundRobin, backEnd));
}
describe("random scenarios on two nodes", () => randomScenarios(long.roundRobin));
describe("arguments of events on three nodes", () => argumentFidelity(eventful.roundRobin));

function clusterOf({ spaces: list = [], ...settings }, nodes = 2) {
  return clusterForThisFile({
    nodes,
    settings: { ...settings, spaces: [...list, BARRIER.space] },
  });
}
