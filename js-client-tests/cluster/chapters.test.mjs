// What is true on one node is true on several: each connection comes to another one than the last.

import { describe } from "node:test";

import { changes } from "../chapters/changes.mjs";
import { claims } from "../chapters/claims.mjs";
import { devices } from "../chapters/devices.mjs";
import { direct } from "../chapters/direct.mjs";
import { guests } from "../chapters/guests.mjs";
import { history } from "../chapters/history.mjs";
import { LIVES, lives } from "../chapters/lives.mjs";
import { members, ROOMS } from "../chapters/members.mjs";
import { notify } from "../chapters/notify.mjs";
import { posting } from "../chapters/post.mjs";
import { presence, whoIsOnline } from "../chapters/presence.mjs";
import { reading } from "../chapters/reading.mjs";
import { comingBack, comingBackToRooms } from "../chapters/reconnect.mjs";
import { roles } from "../chapters/roles.mjs";
import { rooms } from "../chapters/rooms.mjs";
import { SPACES, spaces } from "../chapters/spaces.mjs";
import { typing, typingForLong } from "../chapters/typing.mjs";
import { clusterForThisFile } from "../support/cluster.mjs";
import { SENTRIES } from "../support/sentries.mjs";
import { way } from "../support/socket.io.mjs";
import { plain } from "../support/ws.mjs";

const WAYS = [plain, way("4.8", "polling")];

/** Chapters that rooms of all names are open to, and those that have rooms of their own. */
const CHAPTERS = {
  changes,
  claims,
  devices,
  direct,
  guests,
  history,
  notify,
  posting,
  presence,
  whoIsOnline,
  reading,
  comingBack,
  comingBackToRooms,
  rooms,
  spaces,
  typing,
  typingForLong,
};
const ROOM_CHAPTERS = { members, roles };

// Nodes learn of each other who went well within the grace.
const quick = { "limits.presence_grace_ms": 300 };
const readable = { "rooms.read_only": ["news-*"] };
const open = clusterOf({ ...SPACES, ...quick, ...readable });
const ruled = clusterOf(ROOMS);
const long = clusterOf(LIVES);

for (const it of WAYS) {
  for (const [server, chapters] of [
    [open.asOne, CHAPTERS],
    [ruled.asOne, ROOM_CHAPTERS],
  ]) {
    for (const [name, chapter] of Object.entries(chapters)) {
      describe(`${name} on two nodes over ${it.label}`, () => chapter(it, server));
    }
  }
}

describe("random lives on two nodes", () => lives(long.asOne));

function clusterOf({ spaces: list = [], ...settings }) {
  return clusterForThisFile({
    nodes: 2,
    settings: { ...settings, spaces: [...list, SENTRIES.space] },
  });
}
