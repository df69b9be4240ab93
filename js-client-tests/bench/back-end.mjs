// A back end that answers `add`, as an application would: parse, decide, answer.

import { createServer } from "node:http";

const http = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const { args } = JSON.parse(Buffer.concat(chunks));
  const [{ one, two }] = args;
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ ack: [{ ok: true, sum: one + two }] }));
});

http.listen(0, "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${http.address().port}`);
});
