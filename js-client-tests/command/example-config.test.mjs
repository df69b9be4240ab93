// The example configuration is the default, with every setting in it.

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { runRoomcast } from "../support/command.mjs";

const KEYS = [
  "listen",
  "data",
  "guests",
  "origins",
  "spaces",
  "store",
  "log_format",
  "log_filter",
  "drain_ms_max",
  "synchronous",
  "busy_ms_max",
  "guest_ttl_secs",
  "body_bytes_max",
  "frame_bytes_max",
  "rooms_per_user_max",
  "spaces_per_connection_max",
  "history_messages_max",
  "recover_messages_max",
  "auto_join",
  "public",
  "private",
  "read_only",
  "entries_max",
  "age_days_max",
  "sweep_secs",
  "receipts_members_max",
  "outbox_events_max",
  "outbox_bytes_max",
  "messages_per_second_max",
  "messages_burst_max",
  "presence_list_max",
  "presence_grace_ms",
  "ping_interval_ms",
  "ping_timeout_ms",
  "write_stall_ms_max",
];

test("the example is printed, names every setting, and passes check-config", async (t) => {
  const { code, stdout, stderr } = await runRoomcast("example-config");
  assert.deepEqual([code, stderr], [0, ""]);
  for (const key of KEYS) assert.match(stdout, new RegExp(`^#? ?(\\w+\\.)?${key} = `, "m"), key);
  const home = await mkdtemp(path.join(tmpdir(), "roomcast-"));
  t.after(() => rm(home, { recursive: true, force: true }));
  const file = path.join(home, "roomcast.toml");
  await writeFile(file, stdout);
  const checked = await runRoomcast("check-config", "--config", file);
  assert.equal(checked.code, 0, checked.stderr);
});

test("it equals the file in the repository", async () => {
  const file = await readFile(new URL("../../config.example.toml", import.meta.url), "utf8");
  assert.equal((await runRoomcast("example-config")).stdout, file);
});
