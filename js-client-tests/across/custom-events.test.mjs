// Events of the application between Socket.IO, JSON and MessagePack clients.

import { argumentFidelity } from "../suites/argument-fidelity.mjs";
import { EVENT_SETTINGS } from "../suites/custom-events.mjs";
import { serverForThisFile } from "../support/server.mjs";

argumentFidelity(serverForThisFile({ settings: EVENT_SETTINGS }));
