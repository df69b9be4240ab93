// The dialog "Rooms": all rooms that are open to this user, with their topics and people.

import { makeDialog } from "./dialog.js";
import { element, setText } from "./dom.js";
import { makePagedList } from "./paged-list.js";
import { people } from "./words.js";

/** `join(name)` returns `{key}` or `{problem}`; `missing()` is called if the server has no list. */
export function makeDirectory({ open, join, lists, missing }) {
  const problem = element("p", { className: "problem" });
  problem.setAttribute("role", "alert");

  const list = makePagedList({
    id: "directory",
    label: "Find a room",
    load,
    rows: { key: ({ room }) => room, create, update },
    empty: (query) =>
      query ? `There is no room “${query}” yet.` : "There are no rooms to look at yet.",
  });
  const dialog = makeDialog({ id: "directory", heading: "Rooms" }, ...list.nodes, problem);

  async function load(data) {
    const answer = await lists.rooms(data);
    if (answer !== null) return { ...answer, items: answer.rooms };
    dialog.close();
    missing();
    return { ok: true, items: [] };
  }

  function create({ room }) {
    const row = element("button", { type: "button", className: "row tall" });
    const text = element("span", { className: "lines" });
    text.append(
      element("bdi", { className: "name" }, room),
      element("span", { className: "topic", dir: "auto" }),
      element("span", { className: "about" }),
    );
    row.append(element("span", { className: "glyph" }), text, element("span", { className: "do" }));
    row.addEventListener("click", () => enter(room));
    return element("li", {}, row);
  }

  function update(item, { room, topic = "", members, online, joined }) {
    const row = item.firstChild;
    const [, text, action] = row.children;
    const [, about, counts] = text.children;
    const isOnline = online === undefined ? "" : `, ${online.toLocaleString()} online`;
    setText(about, topic);
    setText(counts, members === undefined ? "" : `${people(members)}${isOnline}`);
    setText(action, joined ? "Open" : "Join");
    const parts = [`${action.textContent} ${room}`, topic, counts.textContent];
    row.setAttribute("aria-label", parts.filter(Boolean).join(", "));
  }

  async function enter(room) {
    setText(problem, "");
    const { key, problem: text = "" } = await join(room);
    setText(problem, text);
    if (!key) return;
    dialog.close();
    open(key);
  }

  return {
    open() {
      setText(problem, "");
      dialog.open();
      void list.begin();
    },
  };
}
