// Checks what the server sends on any wire against its own contract, `roomcast contract`.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";

import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

import { ROOMCAST } from "./server.mjs";

let checks;

/** Fails if the contract does not permit this event of the server, or has a key less than it. */
export function assertEvent(name, data) {
  checks ??= compile();
  const check = checks.events[name];
  if (check) assertValid(check, name, data); // others are events of the application
}

/** The same for the answer to a request, without `ack`. */
export function assertAnswer(request, answer) {
  checks ??= compile();
  const check = answer.ok ? checks.answers[request] : checks.refusal;
  if (check) assertValid(check, request, answer);
}

/** The same, unless the request is an event of the application: then it has any answer. */
export function assertBuiltInAnswer(request, answer) {
  checks ??= compile();
  if (request in checks.answers) assertAnswer(request, answer);
}

function assertValid(check, name, received) {
  const value = withBase64(received);
  if (check(value)) return;
  const errors = JSON.stringify(check.errors, undefined, 2);
  assert.fail(`the contract does not permit ${name}: ${JSON.stringify(value)}\n${errors}`);
}

/** Bytes as they are in JSON, for which the schemas are. */
function withBase64(value) {
  if (ArrayBuffer.isView(value)) {
    const { buffer, byteOffset, byteLength } = value;
    return { base64: Buffer.from(buffer, byteOffset, byteLength).toString("base64") };
  }
  if (Array.isArray(value)) return value.map(withBase64);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, it]) => [key, withBase64(it)]));
}

function compile() {
  const text = execFileSync(ROOMCAST, ["contract", "--format", "json-schema"], {
    maxBuffer: 2 ** 24,
  });
  const { $defs } = JSON.parse(text, withoutOtherKeys);
  const ajv = addFormats(new Ajv2020({ strictTypes: false, strictRequired: false }));
  const compiled = ({ properties }) =>
    Object.fromEntries(
      Object.entries(properties).map(([name, it]) => [name, ajv.compile({ ...it, $defs })]),
    );
  const { Events, Answers, Refusal } = $defs;
  const properties = { ok: { const: false }, ...Refusal.properties };
  return {
    events: compiled(Events),
    answers: compiled(Answers),
    refusal: ajv.compile({ ...Refusal, properties, $defs }),
  };
}

/** The published schemas permit keys of later versions; this version sends none of them. */
export function withoutOtherKeys(_, schema) {
  const isObject = schema?.type === "object" && schema.properties !== undefined;
  return isObject ? { additionalProperties: false, ...schema } : schema;
}
