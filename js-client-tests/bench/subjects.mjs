// What is compared: a server, and the wire of its clients.

import { bareSocketioxide, roomcast, socketio, ws } from "./servers.mjs";

/** By key, in the order of the columns. `ordered`: all receive the messages in the same order. */
export const SUBJECTS = {
  node: { title: "Node Socket.IO", start: () => socketio(), wire: "socketio", ordered: true },
  bare: { title: "bare socketioxide", start: bareSocketioxide, wire: "socketio", ordered: false },
  roomcast: {
    title: "Roomcast Socket.IO",
    start: roomcast,
    wire: "socketio",
    ordered: true,
    api: true,
  },
  roomcastWs: { title: "Roomcast /ws", start: roomcast, wire: "ws", ordered: true },
  nodeWs: { title: "Node ws", start: ws, wire: "ws", ordered: true },
};

/** The one that all ratios refer to. */
export const REFERENCE = "node";

/** The servers that have rooms and tokens. */
export const WITH_ROOMS = ["node", "bare", "roomcast", "roomcastWs"];
/** The servers that relay events of the application. */
export const WITH_EVENTS = ["node", "roomcast", "roomcastWs"];
/** The servers that take messages over HTTP. */
export const WITH_API = ["node", "roomcast"];
export const WITH_WEBHOOKS = ["roomcast", "roomcastWs"];
export const WITH_POLLING = ["node", "bare", "roomcast"];
export const ALL = Object.keys(SUBJECTS);
