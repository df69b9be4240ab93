// The topic of the open room, in the head of the conversation. Its admins change it there.

import { setText } from "./dom.js";
import { isAdminOf } from "./state.js";

const $ = (id) => document.getElementById(id);

/** `setTopic(text)` returns `{ok, text}`; `done()` is called when the field closes. */
export function makeTopic({ setTopic, done }) {
  const [form, field] = [$("topic-form"), $("new-topic")];
  let open = null; // the conversation that is shown
  let changed = null; // the one whose topic is being changed

  $("change-topic").addEventListener("click", () => {
    changed = open;
    field.value = changed.topic;
    drawForm();
    field.select();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { ok, text } = await setTopic(field.value);
    setText($("topic-problem"), text);
    if (ok) close();
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.isComposing) return;
    event.stopPropagation();
    close();
  });

  function close() {
    stop();
    done();
  }

  function stop() {
    changed = null;
    setText($("topic-problem"), "");
    drawForm();
  }

  function drawForm() {
    form.hidden = changed === null;
    $("topic").hidden = changed !== null;
    $("change-topic").hidden = changed !== null || !open?.mayChangeTopic;
  }

  return function draw(state, talk) {
    open = { key: talk.key, topic: talk.topic, mayChangeTopic: isAdminOf(state, talk) };
    const topic = $("topic");
    setText(topic, talk.topic);
    topic.title = talk.topic;
    setText($("details-topic"), talk.topic);
    setText($("change-topic"), talk.topic === "" ? "Set a topic" : "Change");
    const label = talk.topic === "" ? "Set a topic" : "Change the topic";
    $("change-topic").setAttribute("aria-label", label);
    if (changed !== null && (changed.key !== talk.key || !open.mayChangeTopic)) stop();
    drawForm();
  };
}
