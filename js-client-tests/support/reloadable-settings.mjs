// The settings that SIGHUP changes, and what clients see of each before and after it.
// docs/operations.md "Changing settings".

import { EngineIoPolling } from "./engine.io.mjs";
import { connect } from "./fixtures.mjs";
import { httpRequest, upgradeHeaders } from "./http.mjs";
import { socketIo } from "./socket.io.mjs";
import { encodeJwt, epochSeconds, SECRET } from "./tokens.mjs";
import { unique } from "./unique.mjs";
import { waitUntil } from "./wait-until.mjs";
import { wsJson } from "./ws.mjs";

const SITE = "https://pages.example";
/** More requests than `inbox_requests_max` below. */
const REQUESTS = Array.from({ length: 12 }, () => '42["GroupList",{}]');

/** What the server has from its start, and keeps. */
export const FIXED = { spaces: ["/one", "/two", "/three"] };

/** The messages that the client `user` of `observe` has sent before. */
export const MESSAGES = 10;

/**
 * Rows: the changed settings, how the log names the change, and what `observe` returns `before` and
 * `after` it. Its argument has the test `t`, the `server`, and `user`, a client of `/ws` that is
 * connected all the time, alone in `room`.
 */
export const RELOADABLE = [
  {
    settings: { origins: [SITE] },
    named: "origins",
    observe: ({ server }) => upgradeStatus(server, { origin: SITE }),
    before: 403,
    after: 101,
  },
  {
    settings: { "rooms.read_only": ["announcements"] },
    named: "rooms",
    observe: async ({ t, server }) => {
      // The first one may own the room.
      await guestIn(t, server, "announcements");
      const bob = await guestIn(t, server, "announcements");
      return outcome(await bob.ask("send message", { room: "announcements", msg: "hello" }));
    },
    before: "ok",
    after: "read_only",
  },
  {
    settings: { events: [{ name: "wave", to: "room" }] },
    named: "events",
    observe: async ({ user }) => outcome(await user.askWith("wave", ["hello"])),
    before: "unknown_event",
    after: "ok",
  },
  {
    settings: { "limits.history_messages_max": MESSAGES - 1 },
    named: "limits\\.history_messages_max",
    observe: async ({ user, room }) =>
      (await user.ask("history", { room, limit: MESSAGES })).messages.length,
    before: MESSAGES,
    after: MESSAGES - 1,
  },
  {
    settings: { "limits.rooms_per_user_max": 1 },
    named: "limits\\.rooms_per_user_max",
    observe: async ({ t, server, user }) => {
      const another = unique("room");
      const joined = outcome(await user.ask("join", another));
      if (joined === "ok") await user.ask("leave", another);
      return [joined, (await guestIn(t, server)).welcome.limits.roomsMax];
    },
    before: ["ok", 1000],
    after: ["too_many_rooms", 1],
  },
  {
    settings: { "limits.outbox_events_max": 10 },
    named: "limits\\.outbox_events_max",
    observe: (context) => isEndedAsSlow(context, { messages: 20, bytes: 1 }),
    before: false,
    after: true,
  },
  {
    settings: { "limits.outbox_bytes_max": 1_000_000 },
    named: "limits\\.outbox_bytes_max",
    observe: (context) => isEndedAsSlow(context, { messages: 5, bytes: 400_000 }),
    before: false,
    after: true,
  },
  {
    settings: { "limits.inbox_requests_max": REQUESTS.length - 3 },
    named: "limits\\.inbox_requests_max",
    observe: async ({ server }) =>
      (await (await EngineIoPolling.connect(server)).post(...REQUESTS)).status,
    before: 200,
    after: 413,
  },
  {
    settings: { "limits.spaces_per_connection_max": 3 },
    named: "limits\\.spaces_per_connection_max",
    observe: spacesOfOneConnection,
    before: ["ok", "ok", "ok"],
    after: ["ok", "ok", "too_many_rooms"],
  },
  {
    settings: { "token.keys": [{ secret: SECRET }] },
    named: "token\\.keys",
    observe: ({ server }) => {
      const claims = { sub: unique("ann"), exp: epochSeconds(600) };
      const authorization = `Bearer ${encodeJwt(claims, { key: SECRET })}`;
      return upgradeStatus(server, { authorization });
    },
    before: 401,
    after: 101,
  },
  {
    settings: { log_filter: "info,roomcast=debug" },
    named: "log_filter",
    observe: hasDebugLines,
    before: false,
    after: true,
  },
];

const outcome = ({ ok, code }) => (ok ? "ok" : code);

/** The answer to a WebSocket handshake. */
async function upgradeStatus(server, headers) {
  const answer = await httpRequest(server, "/ws", { headers: { ...upgradeHeaders(), ...headers } });
  return answer.status;
}

/** A new guest, whose session has begun. */
async function guestIn(t, server, room) {
  const guest = await connect(t, wsJson, server, { room });
  await guest.identify(unique("guest"));
  await guest.ask("GroupList", {});
  return guest;
}

/** Whether the server ends a new connection that does not poll while it is sent these messages. */
async function isEndedAsSlow({ server, user, room }, { messages, bytes }) {
  const slow = await EngineIoPolling.open(server);
  await slow.post(`40${JSON.stringify({ room })}`);
  await slow.pollUntil((packet) => packet.startsWith("40"));
  await slow.post(`42["new user","${unique("slow")}"]`);
  await slow.pollUntil((packet) => packet.startsWith('42["welcome"'));
  await slow.ask();
  const msg = "x".repeat(bytes);
  for (let n = 0; n < messages; n += 1) await user.ask("send message", { room, msg });
  for (let received = 0; received < messages; ) {
    const { status, packets } = await slow.poll();
    if (status !== 200) throw new Error(`a poll was answered ${status}`);
    if (packets.some((it) => it.startsWith('42["closing",{"code":"slow_reader"'))) return true;
    received += packets.filter((it) => it.startsWith('42["new message"')).length;
  }
  await slow.post("1");
  return false;
}

/** How the server answers a connection that opens one space after the other, besides `/`. */
async function spacesOfOneConnection({ t, server }) {
  const first = await connect(t, socketIo("4.8", "websocket"), server);
  const outcomes = [];
  for (const space of FIXED.spaces) {
    const opened = first.openSpace(space).then(() => "ok");
    outcomes.push(await opened.catch(({ message }) => message));
  }
  return outcomes;
}

/** Whether the log has what the level `debug` adds: for a refused page, a line before that of `info`. */
async function hasDebugLines({ server }) {
  const origin = `https://${unique("site")}.example`;
  await upgradeStatus(server, { origin });
  const lines = () => server.log.filter((it) => it.includes(origin));
  await waitUntil("the line about the page", async () =>
    lines().some((it) => /INFO.*pages of a site are refused/.test(it)),
  );
  return lines().some((it) => /DEBUG.*page refused/.test(it));
}
