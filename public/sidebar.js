// Draws the rooms and users beside the conversation.

import { drawAvatar, drawPresence, faceElement } from "./avatar.js";
import { arrange, element, setText } from "./dom.js";
import { nameOf } from "./names.js";
import { makeSections } from "./sections.js";
import { byName, directKey, isOnline, LOBBY, opened, roomBeside, roomKey } from "./state.js";
import { makeUnreadMarkers } from "./unread-markers.js";
import { people, presenceLine } from "./words.js";

const $ = (id) => document.getElementById(id);

/**
 * `join(name)` returns the key of the room, or the problem as a text; `find()`, `browse()` and
 * `everyone()` open the dialogs.
 */
export function makeSidebar({ open, join, signOut, find, browse, everyone }) {
  let drawn = null;
  const sections = makeSections(() => draw(drawn));
  const markers = makeUnreadMarkers($("lists"), { above: $("above"), below: $("below") });
  const raised = new Set();

  for (const [id, action] of Object.entries({ find, browse, everyone, "sign-out": signOut })) {
    $(id).addEventListener("click", action);
  }
  $("join").addEventListener("submit", async (event) => {
    event.preventDefault();
    const field = $("room-name");
    if (field.value.trim() === "") return field.focus();
    setText($("join-problem"), "");
    const { key, problem = "" } = await join(field.value.trim().replace(/^#/, ""));
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

  /** A conversation rises when it becomes unread, and falls once it was read and left. */
  function rises({ key, isOpen, unread, muted }) {
    if (unread > 0 && !muted) raised.add(key);
    else if (!isOpen) raised.delete(key);
    return raised.has(key);
  }

  /** A folded section still shows what is unread, and what is open. */
  function show(list, talks) {
    const isShown = ({ isOpen, isRaised }) => !sections.isFolded(list) || isOpen || isRaised;
    arrange($(list), talks.filter(isShown), rows);
  }

  function draw(state) {
    drawn = state;
    const talks = [...state.conversations.values()]
      .map((talk) => ({ ...talk, isOpen: talk.key === state.open }))
      .map((talk) => ({ ...talk, isRaised: rises(talk) }))
      .sort(byPlace);
    const ofKind = (wanted) => talks.filter(({ kind }) => kind === wanted);
    show("rooms", ofKind("room"));
    $("join").hidden = sections.isFolded("rooms");
    const directs = ofKind("direct").map((it) => ({ ...it, ...personOf(state, it.name) }));
    show("directs", directs);
    $("directs-section").hidden = directs.length === 0;
    drawHere(state, rows, sections.isFolded("here"));
    drawAvatar($("me-avatar"), state.user);
    setText($("me"), state.shownAs ?? state.user);
    markers.refresh();
  }

  return draw;
}

function drawHere(state, rows, isFolded) {
  const room = roomBeside(state);
  const names = room?.users ?? [];
  const others = names
    .filter((it) => it !== state.user && !state.conversations.has(directKey(it)))
    .map((name) => ({ key: directKey(name), kind: "direct", name, unread: 0 }))
    .map((row) => ({ ...row, ...personOf(state, row.name) }))
    .sort((a, b) => byName(nameOf(a.name), nameOf(b.name)));
  const me = { key: `me:${state.user}`, name: state.user, isMe: true };
  const all = names.includes(state.user) ? [me, ...others] : others;
  arrange($("here"), isFolded ? [] : all, rows);
  setText($("here-heading"), opened(state) === room ? "Here now" : `In ${LOBBY}`);
  const isLong = room?.users === null && room.count > 0;
  const isAlone = room?.users?.length === 1;
  $("here-empty").hidden = isFolded || (!isLong && !isAlone);
  setText(
    $("here-empty"),
    isLong
      ? `${people(room.count)}. Choose “Everyone” to see them.`
      : "Nobody else is here yet. Share the address of this page to invite somebody.",
  );
}

const personOf = (state, name) => ({ ...state.people.get(name), online: isOnline(state, name) });

function talkRow({ key, kind, name }, open) {
  const mark = kind === "room" ? element("span", { className: "glyph" }) : faceElement(name);
  const badge = element("span", { className: "badge" });
  const row = element("button", { type: "button", onclick: () => open(key) });
  const devices = element("span", { className: "devices" });
  row.append(mark, element("bdi", { className: "name" }), devices, badge);
  return row;
}

function updateRow(row, { kind, name, unread: count, muted = false, isOpen, ...person }) {
  const [mark, shown, devices, badge] = row.children;
  const label = kind === "direct" ? nameOf(name) : name;
  setText(shown, label);
  if (kind === "direct") drawAvatar(mark.firstChild, label);
  row.className = count > 0 && !muted ? "row waiting" : "row";
  if (isOpen) row.setAttribute("aria-current", "true");
  else row.removeAttribute("aria-current");
  badge.hidden = count === 0;
  setText(badge, count > 99 ? "99+" : String(count));
  badge.classList.toggle("muted", muted);
  const known = kind === "direct" && person.online !== null;
  const presence = known ? presenceLine(person).toLowerCase() : "";
  const parts = [label, count > 0 && `${count} unread`, muted && "muted", presence];
  row.setAttribute("aria-label", parts.filter(Boolean).join(", "));
  row.title = known ? presenceLine(person) : "";
  const several = person.online && person.devices > 1;
  setText(devices, several ? `${person.devices} devices` : "");
  if (kind === "direct") drawPresence(mark, person.online);
}

function meRow({ name }) {
  const face = faceElement(nameOf(name));
  drawPresence(face, true);
  const row = element("span", { className: "row me-row" });
  row.append(
    face,
    element("bdi", { className: "name" }, nameOf(name)),
    element("span", { className: "you" }, "you"),
  );
  return row;
}

/** What is unread, the lobby, and the others by name. */
function byPlace(a, b) {
  return (
    b.isRaised - a.isRaised
    || (b.key === roomKey(LOBBY)) - (a.key === roomKey(LOBBY))
    || byName(nameOf(a.name), nameOf(b.name))
  );
}
