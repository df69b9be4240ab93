// A disk that takes nothing, and a database that somebody holds: senders are told, nothing is
// stored or sent, and it heals by itself.

import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";

import { accepted, complained, dense, refused } from "../support/assert.mjs";
import { start } from "../support/child.mjs";
import { roomcast, run } from "../support/command.mjs";
import { everything } from "../support/history.mjs";
import { unique } from "../support/names.mjs";
import { once, PATIENCE, within } from "../support/patience.mjs";
import { comeBack, enter, fence } from "../support/people.mjs";
import { serverForThisTest } from "../support/server.mjs";
import { way } from "../support/socket.io.mjs";
import { plain } from "../support/ws.mjs";

/** What a server may complain of that cannot write. */
const complaints = [/stor|sqlite|database|disk|journal|writ/i];

const WIRES = [plain, way("4.8", "polling"), way("2.5", "websocket")];

test("a full disk is `unavailable` to senders, and heals", async (t) => {
  // A file size limit that fails with EFBIG rather than with a signal. It is set later, and lifted.
  const command = ["sh", "-c", 'trap "" XFSZ; exec "$@"', "sh"];
  const server = await serverForThisTest(t, { command, complaints });
  await heals(t, server, {
    breakIt: () => limitFiles(server, "0"),
    mendIt: () => limitFiles(server, "unlimited"),
  });
});

test("a locked database is `unavailable` to senders, and heals", async (t) => {
  const settings = { "sqlite.busy_ms_max": 100 };
  const server = await serverForThisTest(t, { settings, complaints });
  let lock;
  await heals(t, server, {
    breakIt: async () => (lock = await lockDatabase(server)),
    mendIt: () => lock.release(),
  });
});

test("a second server on the same data is refused, and the first does not notice", async (t) => {
  const server = await serverForThisTest(t);
  const room = unique("room");
  const ann = await enter(t, plain, server, "ann", { room });
  const second = await roomcast("serve", "--listen", "127.0.0.1:0", "--data", server.data);
  assert.ok([1, 2].includes(second.code), `exit ${second.code}`);
  assert.equal(second.stdout, "");
  assert.ok(second.stderr.includes(server.data), second.stderr);
  accepted(await ann.ask("send message", "still here"));
});

/** What has to be true before, while and after the server cannot write. */
async function heals(t, server, { breakIt, mendIt }) {
  const room = unique("room");
  const people = [];
  for (const it of WIRES) people.push(await enter(t, it, server, "one", { room }));
  const [ann, bob] = people;
  for (const it of people) accepted(await it.ask("send message", { msg: "before" }));
  for (const it of people) await it.collect("new message", people.length);

  await breakIt();
  const refusedId = unique("id");
  for (const it of people) {
    refused(await it.ask("send message", { msg: "lost", id: refusedId }), "unavailable");
    refused(await it.ask("GroupChat", { data: "lost" }), "unavailable");
    refused(await it.ask("SingleChat", { to: bob.name, data: "lost" }), "unavailable");
    it.tell("send message", { msg: "lost" });
    complained(await it.next("error message"), "send message", "unavailable");
  }
  const many = Array.from({ length: 50 }, (_, n) => ({ msg: `lost ${n}` }));
  for (const answer of await ann.askAll("send message", many)) refused(answer, "unavailable");

  await mendIt();
  const again = await insist(ann, { msg: "after", id: refusedId });
  assert.deepEqual([again.seq, again.duplicate], [people.length + 1, undefined]);
  await fence(bob, room, ...people);
  for (const it of people) {
    assert.deepEqual(
      it.take("new message").map(({ msg }) => msg),
      ["after"],
    );
    assert.deepEqual(it.take("GroupChat"), []);
    assert.deepEqual(it.take("SingleChat"), []);
  }
  const stored = await everything(ann, room);
  dense(stored);
  assert.equal(stored.length, people.length + 2);

  await server.restart();
  const back = await comeBack(t, plain, server, ann.token, { room });
  assert.deepEqual(await everything(back, room), stored);
}

/** The answer of a client that does as `unavailable` says: it tries again. */
function insist(client, message) {
  const answered = async () => {
    for (;;) {
      const answer = await client.ask("send message", message);
      if (answer.ok) return answer;
      refused(answer, "unavailable");
    }
  };
  return within("the server to heal", answered(), PATIENCE);
}

async function limitFiles(server, bytes) {
  const { code, stderr } = await run("prlimit", ["--pid", `${server.pid}`, `--fsize=${bytes}:`]);
  assert.equal(code, 0, stderr);
}

/** Another program takes the database for itself, by the `sqlite3` command. */
async function lockDatabase(server) {
  const sqlite = start("sqlite3", ["-bail", path.join(server.data, "roomcast.db")]);
  sqlite.stdout.setEncoding("utf8");
  sqlite.stderr.setEncoding("utf8");
  const problem = once(sqlite.stderr, "data").then(([text]) => Promise.reject(new Error(text)));
  problem.catch(() => {});
  sqlite.stdin.write(".timeout 5000\nBEGIN EXCLUSIVE;\nSELECT 'locked';\n");
  const [said] = await Promise.race([once(sqlite.stdout, "data"), problem]);
  assert.equal(said.trim(), "locked");
  return {
    async release() {
      sqlite.stdin.end("ROLLBACK;\n");
      const { code } = await within("the end of sqlite3", sqlite.exited);
      assert.equal(code, 0);
    },
  };
}
