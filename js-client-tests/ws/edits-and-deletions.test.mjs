import { describe } from "node:test";

import { editsAndDeletions } from "../suites/edits-and-deletions.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { SECRET } from "../support/tokens.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({ settings: { "token.secret": SECRET } });

describe("edits and deletions over plain WebSocket", () => editsAndDeletions(wsJson, server));
