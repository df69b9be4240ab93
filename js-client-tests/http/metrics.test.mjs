// `/metrics`, read by Prometheus as it is published, and its alerts and dashboard. docs/metrics.md.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { API_SETTINGS, MANAGE_KEY, PUBLISH_KEY, ROOT_KEY } from "../support/api.mjs";
import { assertOk } from "../support/assert.mjs";
import { joinAsUser } from "../support/fixtures.mjs";
import { httpRequest } from "../support/http.mjs";
import { prometheusForThisTest } from "../support/prometheus.mjs";
import { serverForThisFile, serverForThisTest } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { SECRET } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { waitUntil } from "../support/wait-until.mjs";
import { wsJson } from "../support/ws.mjs";

const RULES = fileURLToPath(new URL("../../deploy/alerts.yml", import.meta.url));
const DASHBOARD = new URL("../../deploy/grafana.json", import.meta.url);
const DOCUMENT = new URL("../../docs/metrics.md", import.meta.url);

const settings = { ...API_SETTINGS, "token.secret": SECRET };
const server = serverForThisFile({ settings });

const scrape = (bearer) => {
  const headers = bearer && { authorization: `Bearer ${bearer}` };
  return httpRequest(server, "/metrics", { headers });
};

test("Prometheus reads it, and the alerts and queries are in order", async (t) => {
  const room = unique("room");
  const ann = await joinAsUser(t, socketIo("4.8", "websocket"), server, "ann", { room });
  const bob = await joinAsUser(t, wsJson, server, "bob", { room });
  assertOk(await ann.ask("send message", "hello"));
  await bob.next("new message");
  const prometheus = await prometheusForThisTest(t, server, { key: MANAGE_KEY, rules: RULES });
  await waitUntil("a scrape", async () => (await prometheus.query("up == 1")).length === 1);
  const value = async (series) => (await prometheus.query(series))[0]?.[1];
  assert.equal(await value('roomcast_connections{wire="socketio",transport="websocket"}'), 1);
  assert.equal(await value("sum(roomcast_connections)"), 2);
  assert.equal(await value("roomcast_messages_stored_total"), 1);
  assert.equal(await value("roomcast_entries_delivered_total"), 2);
  assert.ok((await value("histogram_quantile(0.99, roomcast_answer_seconds_bucket)")) > 0);
  for (const name of ["process_resident_memory_bytes", "process_open_fds", "tokio_workers"]) {
    assert.ok((await value(`${name}{job="roomcast"}`)) > 0, name);
  }
  const { version } = (await prometheus.query("roomcast_build_info"))[0][0];
  assert.match(version, /^\d+\.\d+\.\d+$/);

  const described = await prometheus.get("targets/metadata");
  assert.ok(described.length > 20 && described.every(({ help }) => help), "each has a help text");
  let rules;
  await waitUntil("the alerts to be evaluated", async () => {
    rules = (await prometheus.get("rules")).groups.flatMap((group) => group.rules);
    return rules.length > 10 && rules.every(({ health }) => health === "ok");
  });
  const active = rules.filter(({ state }) => state !== "inactive").map(({ name }) => name);
  assert.deepEqual(active, [], "a healthy server raises no alert");

  const { panels } = JSON.parse(readFileSync(DASHBOARD, "utf8"));
  const queries = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
  for (const query of queries) {
    const here = query.replaceAll("$instance", ".*").replaceAll("$__rate_interval", "1m");
    assert.ok(Array.isArray(await prometheus.query(here)), query);
  }
});

test("alerts and dashboard name documented metrics only", () => {
  const documented = new Map(
    [...readFileSync(DOCUMENT, "utf8").matchAll(/^\| `([a-z_]+)(?:\{(.*?)\})?` \| (\w+) \|/gm)].map(
      ([, name, labels = "", kind]) => [name, { labels: labels.split(","), kind }],
    ),
  );
  const texts = [readFileSync(RULES, "utf8"), readFileSync(DASHBOARD, "utf8")].join("\n");
  const used = new Set(texts.match(/\b(roomcast|process|tokio)_[a-z_]+/g));
  assert.ok(used.size > 15);
  for (const name of used) {
    const base = name.replace(/_(bucket|count|sum)$/, "");
    assert.ok(documented.has(name) || documented.get(base)?.kind === "histogram", name);
  }
});

test("at the address of clients it needs a key for all spaces that may read", async () => {
  const { status, headers, body } = await scrape(MANAGE_KEY);
  assert.equal(status, 200);
  assert.match(headers["content-type"], /^application\/openmetrics-text; version=1\.0\.0/);
  assert.equal(headers["cache-control"], "no-store");
  assert.match(body, /^# EOF\n$/m);
  for (const [bearer, expected, code] of [
    [undefined, 401, "unauthorized"],
    ["rcast_unknown", 401, "unauthorized"],
    [PUBLISH_KEY, 403, "forbidden"],
    [ROOT_KEY, 403, "space_forbidden"],
  ]) {
    const refused = await scrape(bearer);
    assert.deepEqual([refused.status, refused.body.code], [expected, code]);
  }
});

test("at an address of its own it needs none", async (t) => {
  const own = await serverForThisTest(t, {
    settings: { ...settings, "admin.listen": "127.0.0.1:0" },
  });
  const admin = await httpRequest(own.admin, "/metrics");
  assert.equal(admin.status, 200);
  assert.match(admin.body, /^roomcast_store_up 1$/m);
  assert.equal((await httpRequest(own, "/metrics")).status, 404);
});

test("no user, room or address is in it", async (t) => {
  const [room, name] = [unique("planted-room"), "planted-user"];
  const ann = await joinAsUser(t, wsJson, server, name, { room });
  assertOk(await ann.ask("send message", "planted-text"));
  const { body } = await scrape(MANAGE_KEY);
  assert.doesNotMatch(body, /planted|127\.0\.0\.1/);
});
