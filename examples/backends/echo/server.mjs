// An echo application, which test suites of the Socket.IO protocol expect of a server. Without
// dependencies, and without signatures: it does nothing for one connection that others notice.
//
//   node examples/backends/echo/server.mjs

import http from "node:http";

const PORT = Number(process.env.PORT ?? 8002);

function answer({ type, event, args, auth, connection }) {
  const emit = (name, list) => [{ emit: { event: name, args: list, to: { connection } } }];
  if (type === "connect") return { do: emit("auth", [auth ?? {}]) };
  if (event === "message") return { do: emit("message-back", args) };
  return { ack: args }; // message-with-ack
}

http
  .createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify(answer(JSON.parse(Buffer.concat(chunks)))));
  })
  .listen(PORT, "127.0.0.1", () => console.log(`http://127.0.0.1:${PORT}`));
