// The images to send with a message: chosen, pasted or dropped, and shown until they are sent.

import { IMAGE_TYPES } from "./body.js";
import { arrange, element, icon, setText } from "./dom.js";
import { prepareImage } from "./image-file.js";
import { bytes } from "./words.js";

const $ = (id) => document.getElementById(id);

const IMAGES_MAX = 10;
const ALT_CHARACTERS_MAX = 300;
const CROSS = "M5 5l10 10M15 5 5 15";

/** Without a connection the limit of the server is not known yet; this is its default. */
const BODY_BYTES_MAX = 524_288;
/** What a body has beside the bytes of its image: name, description, caption. */
const TEXT_BYTES_MAX = 2_000;

/**
 * `current()` returns the open conversation, `limits()` those of the server; `complain(text)`
 * receives the reason of a refusal. Returns `{draw, isBusy}`.
 */
export function makeAttachments({ current, limits, mayWrite, complain }) {
  const field = $("image");
  const list = $("attached");
  let running = 0;
  field.accept = IMAGE_TYPES.join();

  $("attach").addEventListener("click", () => field.click());
  field.addEventListener("change", () => {
    void take([...field.files]);
    field.value = "";
  });
  $("message").addEventListener("paste", (event) => {
    const { files } = event.clipboardData;
    // Programs for texts also give a picture of what was copied.
    if (files.length === 0 || event.clipboardData.getData("text/plain") !== "") return;
    event.preventDefault();
    void take([...files]);
  });
  takeDropped((files) => void take(files));

  function bytesMax() {
    const body = limits()?.bodyBytesMax ?? BODY_BYTES_MAX;
    return body - Math.min(TEXT_BYTES_MAX, body / 4);
  }

  async function take(files) {
    const talk = current();
    if (!mayWrite()) return;
    const chosen = files.slice(0, Math.max(0, IMAGES_MAX - talk.images.length));
    complain(chosen.length < files.length ? `At most ${IMAGES_MAX} images at a time.` : "");
    running += 1;
    $("message").focus();
    for (const [at, file] of chosen.entries()) {
      showProgress(at, chosen.length);
      try {
        talk.images.push({ ...(await prepareImage(file, bytesMax())), alt: "" });
      } catch ({ message }) {
        complain(message);
      }
      if (talk === current()) draw();
    }
    running -= 1;
    if (running === 0) {
      $("preparing").hidden = true;
      setText($("preparing-text"), "");
    }
  }

  function showProgress(done, of) {
    $("preparing").hidden = false;
    Object.assign($("preparing-bar"), { value: done, max: of });
    setText($("preparing-text"), of === 1 ? "Preparing…" : `Preparing ${done + 1} of ${of}…`);
  }

  function draw() {
    const { images } = current();
    arrange(list, images, { key: (image) => image, create: row });
    list.hidden = images.length === 0;
  }

  function row(image) {
    const { name, alt, type } = image;
    const src = URL.createObjectURL(new Blob([image.image], { type }));
    const preview = element("img", { src, alt: "", onload: () => URL.revokeObjectURL(src) });
    const what = element("bdi", {}, `${name}, ${bytes(image.image.byteLength)}`);
    const remove = element(
      "button",
      { type: "button", title: "Remove", onclick: drop },
      icon(CROSS),
    );
    remove.setAttribute("aria-label", `Remove ${name}`);
    const description = element("input", {
      type: "text",
      value: alt,
      maxLength: ALT_CHARACTERS_MAX,
      placeholder: "Describe it for people who cannot see it",
      dir: "auto",
      oninput: () => Object.assign(image, { alt: description.value.trim() }),
    });
    description.setAttribute("aria-label", `Description of ${name}`);

    function drop() {
      current().images = current().images.filter((it) => it !== image);
      draw();
      $("message").focus();
    }

    return element("li", {}, preview, what, description, remove);
  }

  return { draw, isBusy: () => running > 0 };
}

/** Takes files that are dropped on the conversation. The browser would leave the page and open them. */
function takeDropped(take) {
  const area = $("talk");
  const hasFiles = ({ dataTransfer }) => dataTransfer?.types.includes("Files");
  const show = (is) => area.classList.toggle("dropping", is);
  document.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    show(area.contains(event.target));
  });
  document.addEventListener("dragleave", ({ relatedTarget }) => {
    if (relatedTarget === null) show(false);
  });
  document.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    show(false);
    if (area.contains(event.target)) take([...event.dataTransfer.files]);
  });
}
