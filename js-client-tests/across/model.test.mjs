// Random lives on one server, compared with what the rules say.

import { LIVES, lives } from "../chapters/lives.mjs";
import { serverForThisFile } from "../support/server.mjs";

lives(serverForThisFile({ settings: LIVES }));
