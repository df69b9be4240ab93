// Random scenarios on one server, compared with the reference model.

import { randomScenarios, SCENARIO_SETTINGS } from "../suites/random-scenarios.mjs";
import { serverForThisFile } from "../support/server.mjs";

randomScenarios(serverForThisFile({ settings: SCENARIO_SETTINGS }));
