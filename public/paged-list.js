// A list with a search field that loads its pages as it is scrolled.

import { arrange, element, setText } from "./dom.js";
import { refusal } from "./words.js";

const PAGE = 50;
const QUERY_CHARACTERS_MAX = 64;
const TYPING_WAIT_MS = 150;

/**
 * `load({query, cursor, limit})` returns `{ok, items, next?}` or a refusal. `rows` are those of
 * `arrange`, `empty(query)` is the text without any, `loaded(answer)` is called with every page.
 */
export function makePagedList({ id, label, load, rows, empty, loaded = () => {} }) {
  const field = element("input", { id: `${id}-query`, type: "search", placeholder: label });
  Object.assign(field, { autocomplete: "off", spellcheck: false, autocapitalize: "off" });
  field.maxLength = QUERY_CHARACTERS_MAX;
  field.setAttribute("aria-label", label);
  const list = element("ul", { className: "entries" });
  const note = element("p", { className: "hint" });
  note.setAttribute("role", "status");
  const end = element("div", { className: "end" });
  const frame = element("div", { className: "scroll" }, list, note, end);
  let items = [];
  let next;
  let turn = 0; // a new search makes the answers of the former one void
  let busy = false;
  let typing = null;

  async function fetch(isFirst) {
    const mine = isFirst ? ++turn : turn;
    busy = true;
    if (isFirst) frame.setAttribute("aria-busy", "true");
    const query = field.value.trim();
    const data = { query: query || undefined, cursor: isFirst ? undefined : next, limit: PAGE };
    const answer = await load(data);
    if (mine !== turn) return;
    busy = false;
    frame.setAttribute("aria-busy", "false");
    if (!answer.ok) return setText(note, refusal(answer.code, answer.message));
    items = isFirst ? answer.items : [...items, ...answer.items];
    next = answer.next;
    loaded(answer);
    if (isFirst) frame.scrollTop = 0;
    draw();
    // A page may be empty before the last one.
    setText(note, items.length === 0 && next === undefined ? empty(query) : "");
    // Observing again triggers the callback if the end is still visible.
    bottom.disconnect();
    if (next !== undefined) bottom.observe(end);
  }

  const bottom = new IntersectionObserver(
    ([{ isIntersecting }]) => isIntersecting && !busy && next !== undefined && fetch(false),
    { root: frame, rootMargin: "0px 0px 320px" },
  );

  function draw() {
    arrange(list, items, rows);
  }

  field.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(fetch, TYPING_WAIT_MS, true);
  });

  return {
    nodes: [field, frame],
    draw,
    /** Starts anew, with an empty field. */
    begin() {
      clearTimeout(typing);
      field.value = "";
      items = [];
      draw();
      setText(note, "");
      field.focus();
      return fetch(true);
    },
  };
}
