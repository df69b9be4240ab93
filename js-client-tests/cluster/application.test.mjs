// Events of the application, its back end and its API, and random scenarios, on several nodes: each
// new connection goes to another node than the last.

import { describe } from "node:test";

import { argumentFidelity } from "../suites/argument-fidelity.mjs";
import { ask } from "../suites/ask.mjs";
import { backendConnect, CONNECT_HOOK } from "../suites/backend-connect.mjs";
import { backendEvents } from "../suites/backend-events.mjs";
import { backendHooks, HOOKS } from "../suites/backend-hooks.mjs";
import { customEvents, EVENT_SETTINGS } from "../suites/custom-events.mjs";
import { httpApi } from "../suites/http-api.mjs";
import { randomScenarios, SCENARIO_SETTINGS } from "../suites/random-scenarios.mjs";
import { API_SETTINGS } from "../support/api.mjs";
import { BackEnd } from "../support/back-end.mjs";
import { nodesForThisFile } from "../support/cluster.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { SECRET } from "../support/tokens.mjs";
import { wsJson } from "../support/ws.mjs";

const CLIENT_TYPES = [wsJson, socketIo("4.8", "polling")];
const secret = { "token.secret": SECRET };
const hooks = {
  ...CONNECT_HOOK,
  hooks: [...CONNECT_HOOK.hooks, ...HOOKS.hooks],
  rules: [...HOOKS.rules, { name: "*", to: "backend" }],
};

const backEnd = await BackEnd.forThisFile();
const judge = await BackEnd.forThisFile();
const eventful = nodesForThisFile(EVENT_SETTINGS, 3);
const asking = nodesForThisFile({ ...API_SETTINGS, ...backEnd.settings(), ...secret });
const judged = nodesForThisFile({ ...judge.settings(hooks), ...secret });
const long = nodesForThisFile(SCENARIO_SETTINGS);

for (const it of CLIENT_TYPES) {
  describe(`events on three nodes over ${it.label}`, () => customEvents(it, eventful.roundRobin));
  describe(`a back end of two nodes over ${it.label}`, () =>
    backendEvents(it, asking.roundRobin, backEnd));
  describe(`the HTTP API of two nodes over ${it.label}`, () => httpApi(it, asking.roundRobin));
  describe(`asks of two nodes over ${it.label}`, () => ask(it, asking.roundRobin));
  describe(`connections behind a back end of two nodes over ${it.label}`, () =>
    backendConnect(it, judged.roundRobin, judge));
  describe(`hooks of a back end of two nodes over ${it.label}`, () =>
    backendHooks(it, judged.roundRobin, judge));
}
describe("arguments of events on three nodes", () => argumentFidelity(eventful.roundRobin));
describe("random scenarios on two nodes", () => randomScenarios(long.roundRobin));
