// Random lives on one server, compared with what the rules say.

import { randomScenarios, SCENARIO_SETTINGS } from "../suites/random-scenarios.mjs";
import { serverForThisFile } from "../support/server.mjs";

randomScenarios(serverForThisFile({ settings: SCENARIO_SETTINGS }));
