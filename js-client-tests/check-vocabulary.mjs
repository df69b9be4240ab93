// Part of `make check`: words that the project no longer uses, with the term to use instead. Finds
// them as whole words, also inside identifiers (snake_case, camelCase, kebab-case).

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Each row: the words, separated by spaces, and the term to use instead. */
const REPLACEMENTS = [
  ["herald heralds", "publisher"],
  ["residence residences", "NameClaim"],
  ["resident residents", "OnlineUser"],
  ["roll_call roll_calls rollcall", "roster request"],
  ["census", "HeartbeatReply or Peers"],
  ["mend mends mended mending", "repair, retry or fix"],
  ["hear hears heard hearing", "receive"],
  ["deaf deafness", "bus disconnected"],
  ["elsewhere", "remote, or on another node"],
  ["lookout lookouts", "RoomInterest"],
  ["belongings", "WelcomeSnapshot"],
  ["petition petitions", "MembershipRequest"],
  ["asker askers", "waiter or caller"],
  ["bereave bereaves bereaved", "revokes_right_of"],
  ["voucher vouchers vouch vouches vouched", "IdentityKind, registered"],
  ["unfit", "NotPermitted"],
  ["seat seats", "NamespaceConnection"],
  ["fate fates", "ClosePhase"],
  ["unhinge unhinges unhinged", "force_disconnect"],
  ["house houses", "fixture, or the server"],
  ["sentry sentries", "monitor"],
  ["crowd crowds", "load, or many clients"],
  ["storm storms", "mass reconnect, or burst"],
];

/** Where a word stays, and why. */
const EXCEPTIONS = [
  { path: /^src\/store\//, word: "vouched", reason: "the name of an SQL column" },
  { path: /^src\/bus\/redis\/envelope\//, word: "vouched", reason: "a name between nodes" },
  { path: /./, text: /process_resident_memory/, reason: "a name of Prometheus" },
  { path: /^(public|js-client-tests)\//, text: /did not hear from/, reason: "a text for users" },
];

/** The history keeps its words, migrations are promises, and this file names the words. */
const SKIPPED = /CHANGELOG\.md$|\/migrations\/|package-lock\.json$|check-vocabulary\.mjs$/;
const READ = /\.(rs|mjs|js|md|toml|html|css)$|(^|\/)Makefile$/;

const TERMS = new Map(
  REPLACEMENTS.flatMap(([words, term]) => words.split(" ").map((word) => [word, term])),
);

/** The words of a line in lower case, with pairs joined by "_" for terms of two words. */
function words(line) {
  const single = (line.match(/[A-Z]+(?![a-z])|[A-Z]?[a-z]+/g) ?? []).map((it) => it.toLowerCase());
  return [...single, ...single.slice(1).map((word, at) => `${single[at]}_${word}`)];
}

/** The words of `line` in `path` that have another term. */
function hits(path, line) {
  const exempt = (word) =>
    EXCEPTIONS.some(
      (it) =>
        it.path.test(path)
        && (it.word === undefined || it.word === word)
        && (it.text === undefined || it.text.test(line)),
    );
  return [...new Set(words(line))].filter((word) => TERMS.has(word) && !exempt(word));
}

function check(condition, what) {
  if (!condition) throw new Error(`the check itself is wrong: ${what}`);
}

check(hits("a.rs", "let roll_call = RollCall::new();").length === 1, "a term of two words");
check(hits("a.rs", "fn unhingeAll(deaf_node: Node) {}").length === 2, "words inside identifiers");
check(hits("a.rs", "warehouse, headquarters, shear").length === 0, "parts of other words");
check(hits("src/store/a.rs", "vouched").length === 0, "an exception");

const listed = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], { cwd: ROOT });
const files = listed
  .toString()
  .split("\n")
  .filter((path) => READ.test(path) && !SKIPPED.test(path));
check(files.length > 100, "no files are read");
let found = 0;
for (const path of files) {
  let text;
  try {
    text = readFileSync(`${ROOT}${path}`, "utf8");
  } catch (error) {
    if (error.code === "ENOENT") continue;
    throw error;
  }
  for (const [at, line] of text.split("\n").entries()) {
    for (const word of hits(path, line)) {
      console.error(`${path}:${at + 1}: "${word}", write: ${TERMS.get(word)}`);
      found += 1;
    }
  }
}
if (found > 0) {
  console.error(`${found} words that the project no longer uses`);
  process.exitCode = 1;
}
