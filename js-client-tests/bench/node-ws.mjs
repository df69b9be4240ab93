// The same chat over plain WebSocket with the `ws` module, kept in memory.

import { randomUUID } from "node:crypto";

import { WebSocketServer } from "ws";

const room = "lobby";
const log = [];
const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });

server.on("connection", (socket) => {
  let user;
  const send = (object) => socket.send(JSON.stringify(object));
  const events = {
    "new user": (name, ack) => {
      user = name;
      send({ ack, ok: true, user, token: name });
      send({ event: "welcome", data: { user, rooms: [{ room, seq: log.length }] } });
    },
    "send message": (msg, ack) => {
      const message = {
        room,
        seq: log.length + 1,
        id: randomUUID(),
        username: user,
        msg,
        at: new Date().toISOString(),
      };
      log.push(message);
      const frame = JSON.stringify({ event: "new message", data: message });
      for (const client of server.clients) client.send(frame);
      send({ ack, ok: true, id: message.id, room, seq: message.seq, at: message.at });
    },
  };
  socket.on("message", (bytes) => {
    const { event, data, ack } = JSON.parse(bytes);
    events[event](data, ack);
  });
});

process.on("SIGUSR2", () => globalThis.gc?.());
server.on("listening", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
