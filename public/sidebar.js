// Draws the rooms and users beside the conversation.

import { drawAvatar, drawPresence, faceElement } from "./avatar.js";
import { arrange, element, setText } from "./dom.js";
import { byName, directKey, isOnline, LOBBY, opened, roomKey } from "./state.js";
import { presenceLine } from "./words.js";

const $ = (id) => document.getElementById(id);

/** `join(name)` returns the key of the room, or the problem as a text. */
export function makeSidebar({ open, join, signOut }) {
  $("sign-out").addEventListener("click", signOut);
  $("join").addEventListener("submit", async (event) => {
    event.preventDefault();
    const field = $("room-name");
    if (field.value.trim() === "") return field.focus();
    setText($("join-problem"), "");
    const { key, problem = "" } = await join(field.value);
    setText($("join-problem"), problem);
    if (!key) return;
    field.value = "";
    open(key);
  });

  const rows = {
    key: (row) => row.key,
    create: (row) => element("li", {}, row.isMe ? meRow(row) : talkRow(row, open)),
    update: (node, row) => row.isMe || updateRow(node.firstChild, row),
  };

  return function draw(state) {
    const talks = [...state.conversations.values()].sort(byPlace);
    const row = (talk) => ({ ...talk, isOpen: talk.key === state.open });
    arrange($("rooms"), talks.filter((it) => it.kind === "room").map(row), rows);
    const directs = talks
      .filter((it) => it.kind === "direct")
      .map((it) => ({ ...row(it), ...personOf(state, it.name) }));
    arrange($("directs"), directs, rows);
    $("directs-section").hidden = directs.length === 0;
    drawHere(state, rows);
    drawAvatar($("me-avatar"), state.user);
    setText($("me"), state.shownAs ?? state.user);
  };
}

/** The users of the open room, or of the lobby beside a direct conversation. */
function drawHere(state, rows) {
  const talk = opened(state);
  const room = talk.kind === "room" ? talk : state.conversations.get(roomKey(LOBBY));
  const names = room?.users ?? [];
  const others = names
    .filter((it) => it !== state.user && !state.conversations.has(directKey(it)))
    .map((name) => ({ key: directKey(name), kind: "direct", name, unread: 0 }))
    .map((row) => ({ ...row, ...personOf(state, row.name) }));
  const me = { key: `me:${state.user}`, name: state.user, isMe: true };
  arrange($("here"), names.includes(state.user) ? [me, ...others] : others, rows);
  setText($("here-heading"), talk === room ? "Here now" : `In ${LOBBY}`);
  const isLong = room?.users === null && room.count > 0;
  const isAlone = room?.users?.length === 1;
  $("here-empty").hidden = !isLong && !isAlone;
  setText(
    $("here-empty"),
    isLong
      ? "Too many to list. Write in the room, and they will read it."
      : "Nobody else is here yet. Share the address of this page to invite somebody.",
  );
}

const personOf = (state, name) => ({ ...state.people.get(name), online: isOnline(state, name) });

function talkRow({ key, kind, name }, open) {
  const mark = kind === "room" ? element("span", { className: "glyph" }) : faceElement(name);
  const badge = element("span", { className: "badge" });
  const row = element("button", { type: "button", onclick: () => open(key) });
  const devices = element("span", { className: "devices" });
  row.append(mark, element("bdi", { className: "name" }, name), devices, badge);
  return row;
}

function updateRow(row, { kind, name, unread: count, muted = false, isOpen, ...person }) {
  const [mark, , devices, badge] = row.children;
  row.className = count > 0 && !muted ? "row waiting" : "row";
  if (isOpen) row.setAttribute("aria-current", "true");
  else row.removeAttribute("aria-current");
  badge.hidden = count === 0;
  setText(badge, count > 99 ? "99+" : String(count));
  badge.classList.toggle("muted", muted);
  const known = kind === "direct" && person.online !== null;
  const presence = known ? presenceLine(person).toLowerCase() : "";
  const parts = [name, count > 0 && `${count} unread`, muted && "muted", presence];
  row.setAttribute("aria-label", parts.filter(Boolean).join(", "));
  row.title = known ? presenceLine(person) : "";
  const several = person.online && person.devices > 1;
  setText(devices, several ? `${person.devices} devices` : "");
  if (kind === "direct") drawPresence(mark, person.online);
}

function meRow({ name }) {
  const face = faceElement(name);
  drawPresence(face, true);
  const row = element("span", { className: "row me-row" });
  row.append(
    face,
    element("bdi", { className: "name" }, name),
    element("span", { className: "you" }, "you"),
  );
  return row;
}

function byPlace(a, b) {
  return (b.key === roomKey(LOBBY)) - (a.key === roomKey(LOBBY)) || byName(a.name, b.name);
}
