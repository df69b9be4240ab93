// The dialog "People": the members of a room, online and away.

import { drawAvatar, drawPresence, faceElement } from "./avatar.js";
import { makeDialog } from "./dialog.js";
import { element, setText } from "./dom.js";
import { plain } from "./fuzzy.js";
import { nameOf } from "./names.js";
import { makePagedList } from "./paged-list.js";
import { directKey, isOnline, roomBeside } from "./state.js";
import { people, presenceLine, roleMark } from "./words.js";

/** `open(key)` opens a conversation, `lists` requests pages. */
export function makeMembers({ open, lists }) {
  let state = null;
  let room = null;
  let isUnlisted = false;

  const list = makePagedList({
    id: "members",
    label: "Find a person",
    load,
    rows: { key: ({ user }) => user, create, update },
    empty,
    loaded: ({ total }) => setText(count, total === undefined ? "" : people(total)),
  });
  const count = element("p", { className: "hint" });
  const dialog = makeDialog({ id: "members", heading: "People" }, count, ...list.nodes);

  async function load(data) {
    const answer = await lists.members({ room: room.name, ...data });
    if (answer === null) return present(data.query ?? "");
    return { ...answer, items: answer.members };
  }

  function empty(query) {
    if (isUnlisted) return "There are too many people to list.";
    return query ? `Nobody here is called “${query}”.` : "Nobody is here yet.";
  }

  /** Who is in the room now, from a server that has no list of members. */
  function present(query) {
    const { users, count: total } = room;
    isUnlisted = users === null;
    if (isUnlisted) return { ok: true, items: [], total };
    const found = users.filter((user) => plain(nameOf(user)).includes(plain(query)));
    return { ok: true, total, items: found.map((user) => ({ user, online: true })) };
  }

  function create({ user, role }) {
    const row = element("button", { type: "button", className: "row" });
    row.append(
      faceElement(user),
      element("bdi", { className: "name" }),
      element("span", { className: "tag" }, user === state.user ? "you" : roleMark(role)),
      element("span", { className: "about" }),
    );
    row.addEventListener("click", () => {
      dialog.close();
      open(directKey(user));
    });
    // Nobody writes to themselves.
    row.disabled = user === state.user;
    return element("li", {}, row);
  }

  function update(item, { user, role, online, lastSeen }) {
    const [face, name, tag, about] = item.firstChild.children;
    const is = user === state.user || (isOnline(state, user) ?? online);
    drawPresence(face, is);
    setText(name, nameOf(user));
    drawAvatar(face.firstChild, nameOf(user));
    const presence = presenceLine({ lastSeen, ...state.people.get(user), online: is });
    setText(about, presence);
    const parts = [name.textContent, tag.textContent || roleMark(role), presence.toLowerCase()];
    item.firstChild.setAttribute("aria-label", parts.filter(Boolean).join(", "));
  }

  return {
    /** Opens with the members of the room that the sidebar shows. */
    open() {
      room = roomBeside(state);
      if (!room) return;
      setText(dialog.title, `People in ${room.name}`);
      setText(count, "");
      dialog.open();
      void list.begin();
    },
    draw(drawn) {
      state = drawn;
      if (dialog.isOpen()) list.draw();
    },
  };
}
