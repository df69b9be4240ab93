// A receiver of webhooks that accepts everything. `GET /7` is answered once it has seven events.

import { createServer } from "node:http";

const waiting = new Set();
let count = 0;

const http = createServer(async (request, response) => {
  if (request.method === "GET") {
    waiting.add({ wanted: Number(request.url.slice(1)), response });
  } else {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = JSON.parse(Buffer.concat(chunks));
    count += body.events?.length ?? 1;
    response.end();
  }
  for (const it of waiting) {
    if (count < it.wanted) continue;
    it.response.end();
    waiting.delete(it);
  }
});

http.listen(0, "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${http.address().port}`);
});
