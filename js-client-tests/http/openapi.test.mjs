// /api/openapi.json and its neighbours: held against the server's real answers by schemathesis.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { API_SETTINGS, MANAGE_KEY } from "../support/api.mjs";
import { runProgram, runRoomcast } from "../support/command.mjs";
import { httpRequest } from "../support/http.mjs";
import { serverForThisFile } from "../support/server.mjs";

const FOLDER = fileURLToPath(new URL("../schemathesis/", import.meta.url));
const SCHEMATHESIS = process.env.SCHEMATHESIS ?? path.join(FOLDER, ".venv/bin/schemathesis");

const server = serverForThisFile({ settings: { ...API_SETTINGS, form_sign_in: "on" } });

test("schemathesis finds no answer that differs from the document", async (t) => {
  const home = await mkdtemp(path.join(tmpdir(), "roomcast-"));
  t.after(() => rm(home, { recursive: true }));
  const { code, stdout, stderr } = await runProgram(
    SCHEMATHESIS,
    [
      ...["--config-file", path.join(FOLDER, "schemathesis.toml")],
      ...["run", `${server.url}/api/openapi.json`],
      ...["--header", `Authorization: Bearer ${MANAGE_KEY}`],
    ],
    { cwd: home, env: { PYTHONPATH: FOLDER, PYTHONDONTWRITEBYTECODE: "1" }, timeoutMs: 120_000 },
  );
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  const [, cases] = /(\d+) generated/.exec(stdout) ?? assert.fail(stdout);
  assert.ok(300 < Number(cases), `only ${cases} requests`);
});

test("every route has the methods of the document, and no other", async () => {
  const { body: document } = await httpRequest(server, "/api/openapi.json");
  assert.match(document.openapi, /^3\.1\./);
  for (const [route, methods] of Object.entries(document.paths)) {
    const headers = { authorization: `Bearer ${MANAGE_KEY}` };
    const other = await httpRequest(server, route.replaceAll(/[{}]/g, ""), {
      method: "PATCH",
      headers,
    });
    assert.equal(other.status, 405, route);
    const allowed = other.headers.allow.split(", ").map((it) => it.toLowerCase());
    const documented = Object.keys(methods);
    const extra = allowed.filter((it) => !["head", "options", ...documented].includes(it));
    const missing = documented.filter((it) => !allowed.includes(it));
    assert.deepEqual({ extra, missing }, { extra: [], missing: [] }, route);
  }
});

test("the contract is served without a key, as the command prints it", async () => {
  for (const [route, format, type] of [
    ["/api/asyncapi.json", "asyncapi", /^application\/json/],
    ["/api/contract.d.ts", "d.ts", /^text\/plain/],
  ]) {
    const { status, headers, body } = await httpRequest(server, route);
    assert.equal(status, 200);
    assert.match(headers["content-type"], type);
    const { stdout } = await runRoomcast("contract", "--format", format);
    const served = typeof body === "string" ? body : `${JSON.stringify(body)}\n`;
    const printed = format === "d.ts" ? stdout : `${JSON.stringify(JSON.parse(stdout))}\n`;
    assert.equal(served, printed);
  }
});
