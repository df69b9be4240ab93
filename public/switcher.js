// The quick switcher: Ctrl-K or ⌘K, some letters, and Enter opens a room or a person.

import { drawPresence, faceElement } from "./avatar.js";
import { makeDialog } from "./dialog.js";
import { arrange, element, setText } from "./dom.js";
import { isOnline, roomBeside } from "./state.js";
import { choices, wish } from "./switching.js";

const TYPING_WAIT_MS = 150;
const FOUND_MAX = 20;
const QUERY_CHARACTERS_MAX = 64;
const NOTHING = { people: [], rooms: [] };
const KEYS = "↑ ↓ to choose, Enter to open";
const EMPTY = "Write the name of a room to join or create it.";

/**
 * `open(key)` opens a conversation, `join(name)` joins a room and returns `{key}` or `{problem}`,
 * `recent()` returns the keys of the conversations that were opened last.
 */
export function makeSwitcher({ open, join, lists, recent }) {
  let state = null;
  let shown = [];
  let at = 0;
  let found = NOTHING;
  let turn = 0;
  let typing = null;
  let rowsMade = 0;

  const list = element("ul", { id: "switcher-choices", className: "entries scroll" });
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Rooms and people");
  const field = element("input", { type: "text", placeholder: "Find a room or a person" });
  Object.assign(field, { autocomplete: "off", spellcheck: false, autocapitalize: "off" });
  for (const [name, value] of Object.entries({
    role: "combobox",
    "aria-label": "Find a room or a person",
    "aria-autocomplete": "list",
    "aria-controls": list.id,
    "aria-expanded": "true",
  })) {
    field.setAttribute(name, value);
  }
  const problem = element("p", { className: "problem" });
  problem.setAttribute("role", "alert");
  const hint = element("p");
  const dialog = makeDialog({ id: "switcher", heading: "Go to" }, field, problem, list, hint);

  const rows = {
    key: ({ key, known }) => `${known ? "" : "+"}${key}`,
    create(item) {
      const isRoom = item.kind === "room";
      const row = element("li", { id: `choice-${++rowsMade}`, className: "row" });
      row.setAttribute("role", "option");
      row.append(
        isRoom ? element("span", { className: "glyph" }) : faceElement(item.shown),
        element("bdi", { className: "name" }, item.shown),
        element("span", { className: "about" }),
        element("span", { className: "badge" }),
      );
      row.addEventListener("click", () => choose(item));
      return row;
    },
    update(row, item) {
      const [mark, , about, badge] = row.children;
      const is = item === shown[at];
      row.setAttribute("aria-selected", String(is));
      setText(about, item.known ? "" : "Join or create");
      badge.hidden = item.unread === 0;
      setText(badge, item.unread > 99 ? "99+" : String(item.unread));
      if (item.kind === "direct") drawPresence(mark, isOnline(state, item.name));
      if (!is) return;
      field.setAttribute("aria-activedescendant", row.id);
      row.scrollIntoView({ block: "nearest" });
    },
  };

  function draw() {
    const before = shown[at]?.key;
    shown = choices(state, field.value.trim(), recent(), found);
    const kept = shown.findIndex(({ key }) => key === before);
    if (at > 0 && kept >= 0) at = kept;
    show(Math.min(at, shown.length - 1));
  }

  function show(index) {
    at = Math.max(0, index);
    const isEmpty = shown.length === 0;
    if (isEmpty) field.removeAttribute("aria-activedescendant");
    hint.className = isEmpty ? "hint" : "hint keys";
    setText(hint, isEmpty ? EMPTY : KEYS);
    arrange(list, shown, rows);
  }

  /** Asks the server for people and rooms that the page does not know. */
  async function search() {
    const { query, wanted } = wish(field.value);
    const mine = ++turn;
    if (query === "" || query.length > QUERY_CHARACTERS_MAX) return;
    const room = wanted === "room" ? undefined : roomBeside(state)?.name;
    const [members, rooms] = await Promise.all([
      room === undefined ? null : lists.members({ room, query, limit: FOUND_MAX }),
      wanted === "direct" ? null : lists.rooms({ query, limit: FOUND_MAX }),
    ]);
    if (mine !== turn || !dialog.isOpen()) return;
    found = {
      people: (members?.members ?? []).map(({ user }) => user),
      rooms: (rooms?.rooms ?? []).map((it) => it.room),
    };
    draw();
  }

  async function choose(item) {
    if (!item) return;
    const { key, problem: text } = item.known ? item : await join(item.name);
    if (!key) return setText(problem, text);
    dialog.close();
    open(key);
  }

  field.addEventListener("input", () => {
    setText(problem, "");
    at = 0;
    draw();
    show(0);
    clearTimeout(typing);
    typing = setTimeout(search, TYPING_WAIT_MS);
  });
  field.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (event.key === "Enter") void choose(shown[at]);
    else if (step) show((at + step + shown.length) % Math.max(1, shown.length));
    else return;
    event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    const isKey = (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey;
    if (!isKey || event.key.toLowerCase() !== "k" || !state?.user) return;
    event.preventDefault();
    if (dialog.isOpen()) dialog.close();
    else begin();
  });

  function begin() {
    if (document.querySelector("dialog[open]")) return;
    field.value = "";
    setText(problem, "");
    found = NOTHING;
    turn += 1;
    dialog.open();
    field.focus();
    draw();
    show(0);
  }

  return {
    open: begin,
    draw(drawn) {
      state = drawn;
      if (dialog.isOpen()) draw();
    },
  };
}
