// A straightforward implementation of the same chat with the official server, kept in memory.
//
// With REDIS_URL it is one node of several, connected by the official adapter. Each node keeps only
// the messages that it received itself, so a room is numbered correctly while all its senders are
// on one node.

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";

import { Server } from "socket.io";

const rooms = new Map();
const http = createServer(publish);
const { REDIS_URL } = process.env;
const io = new Server(http, REDIS_URL ? await throughRedis(REDIS_URL) : {});

/** As in the adapter's documentation. */
async function throughRedis(url) {
  const { createAdapter } = await import("@socket.io/redis-adapter");
  const { createClient } = await import("redis");
  const publisher = createClient({ url });
  const subscriber = publisher.duplicate();
  await Promise.all([publisher.connect(), subscriber.connect()]);
  return { adapter: createAdapter(publisher, subscriber) };
}

function post(name, user, msg) {
  if (!rooms.has(name)) rooms.set(name, []);
  const log = rooms.get(name);
  const message = {
    room: name,
    seq: log.length + 1,
    id: randomUUID(),
    username: user,
    msg,
    at: new Date().toISOString(),
  };
  log.push(message);
  return message;
}

/** A message over HTTP. */
async function publish(request, response) {
  if (request.url !== "/messages") return;
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const { user, items } = JSON.parse(Buffer.concat(chunks));
  const results = items.map(({ room, msg }) => {
    const message = post(room, user, msg);
    io.to(room).emit("new message", message);
    const { id, seq, at } = message;
    return { ok: true, id, seq, at };
  });
  response.setHeader("content-type", "application/json").end(JSON.stringify({ results }));
}

io.on("connection", (socket) => {
  const { room = "lobby", token, since } = socket.handshake.auth;
  let user;
  const arrive = (name) => {
    user = name;
    socket.join(room);
    socket.emit("welcome", { user, rooms: [{ room, seq: rooms.get(room)?.length ?? 0 }] });
    if (!since) return;
    const messages = (rooms.get(room) ?? []).slice(since[room]);
    socket.emit("missed", { room, messages, recovered: true, more: false });
  };
  if (token) arrive(token);
  socket.on("new user", (name, ack) => {
    ack(true, { user: name, token: name });
    arrive(name);
  });
  socket.on("send message", (msg, ack) => {
    const message = post(room, user, msg);
    io.to(room).emit("new message", message);
    const { id, seq, at } = message;
    ack({ ok: true, id, room, seq, at });
  });
  socket.on("new move", (...args) => socket.to(room).emit("new move", ...args));
  socket.on("new mark", (...args) => socket.broadcast.emit("new mark", ...args));
  socket.on("add", ({ one, two }, ack) => ack({ ok: true, sum: one + two }));
  socket.on("GroupChat", (data, ack) => {
    const message = post(room, user, data);
    socket.to(room).emit("GroupChat", message);
    const { id, seq, at } = message;
    ack({ ok: true, id, room, seq, at });
  });
});

// Uncollected garbage does not count as memory of connections.
process.on("SIGUSR2", () => globalThis.gc?.());
http.listen(0, "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${http.address().port}`);
});
