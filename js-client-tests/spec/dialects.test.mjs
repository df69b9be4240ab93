// Runs the examples of docs/dialects.md, each with what a page has and Node.js lacks.

import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { startProcess } from "../support/child-process.mjs";
import { connectDialect } from "../support/dialect.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { withTimeout } from "../support/timeouts.mjs";
import { epochSeconds, signToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";

const DOCUMENT = await readFile(new URL("../../docs/dialects.md", import.meta.url), "utf8");

const server = serverForThisFile({ settings: { form_sign_in: "on" } });

/** What each example prints. */
const PRINTED = {
  hello: /^Float32Array\(10000\) \[\s*0,\s+0\.5,\s+1,/,
  json: /^helloworld there\n/,
  talk: /^back\n/,
  typed: /usr: null, data: 'Welcome ann-[0-9a-f]+'/,
  "echo-protocol": /^hello\n/,
  lounge: /^join\nlist\nchat\n/,
};

/** `WebSocket` and `fetch` of a page of the server: its addresses, and its cookie. */
const PAGE = `
import Ws from "ws";
let cookie;
class WebSocket extends Ws {
  constructor(url, protocols = []) {
    super(url, protocols, { headers: cookie && { cookie } });
  }
}
async function fetch(path, options) {
  const answer = await globalThis.fetch("http://127.0.0.1:3000" + path, options);
  cookie = answer.headers.get("set-cookie").split(";")[0];
}
`;

/** The examples, by dialect. */
function examples() {
  const chapters = DOCUMENT.split("\n## `").slice(1);
  return chapters.map((chapter) => [
    chapter.split("`")[0],
    /```js\n([\s\S]*?)```/.exec(chapter)[1],
  ]);
}

test("every dialect has an example", () => {
  assert.deepEqual(
    examples().map(([name]) => name),
    Object.keys(PRINTED),
  );
});

for (const [name, example] of examples()) {
  test(`the example of ${name} works`, async (t) => {
    if (name === "talk") await answerInTalk(t);
    const claims = { sub: unique("ann"), exp: epochSeconds(600) };
    const token = JSON.stringify(await signToken(server, claims));
    const text = `${PAGE}const token = ${token};\n${example}`;
    const program = fileURLToPath(new URL(`./${name}-${process.pid}.tmp.mjs`, import.meta.url));
    await writeFile(program, text.replaceAll("127.0.0.1:3000", new URL(server.url).host));
    t.after(() => rm(program));
    const stdio = ["ignore", "pipe", "inherit"];
    const child = startProcess(process.execPath, [program], { stdio });
    t.after(() => child.kill());
    let printed = "";
    const expected = new Promise((resolve) => {
      child.stdout.on("data", (bytes) => {
        printed += bytes;
        if (PRINTED[name].test(printed)) resolve();
      });
    });
    try {
      await withTimeout("the output of the example", expected);
    } catch (error) {
      assert.match(printed, PRINTED[name], error.message);
    }
  });
}

/** A client that answers the first message of the example. */
async function answerInTalk(t) {
  const bob = await connectDialect(t, server, { query: { dialect: "talk", room: "1" } });
  bob.send({ event: "auth", user: unique("bob") });
  const { message: auth } = await bob.nextJson();
  bob.next().then(() => bob.send({ event: "talk_with", auth, message: "back" }));
}
