// Renders /api/openapi.json: a section for each route, and one for each type.

import { schemaNodes } from "./api-schema.js";
import { element } from "./dom.js";

const METHODS = ["get", "put", "post", "delete"];

const at = (id) => document.getElementById(id);

function render({ info, paths, components }) {
  at("title").textContent = `${info.title}: the HTTP API`;
  at("version").textContent = info.version;
  at("about").textContent = info.description;
  const operations = Object.entries(paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => route(method, path, item[method])),
  );
  at("routes").append(...operations);
  at("types").append(...Object.entries(components.schemas).map(([name, it]) => type(name, it)));
  // The address may name a type, which is here only now.
  show();
  addEventListener("hashchange", show);
}

function route(
  method,
  path,
  { summary, description, security, parameters, requestBody, responses },
) {
  const title = element(
    "summary",
    {},
    element(
      "span",
      { className: "route" },
      element("span", { className: "method" }, method.toUpperCase()),
      path,
    ),
    element("span", { className: "soft" }, ` ${summary ?? ""}`),
  );
  const parts = [title];
  if (description) parts.push(element("p", {}, description));
  if (!security) parts.push(element("p", { className: "soft" }, "No key is needed."));
  if (parameters) parts.push(heading("Parameters"), list(parameters.map(parameter)));
  if (requestBody) parts.push(heading("Body"), ...contents(requestBody.content));
  const answers = Object.entries(responses).map(([status, it]) => [
    element("code", {}, status),
    element("div", {}, it.description, ...contents(it.content ?? {})),
  ]);
  parts.push(heading("Answers"), list(answers));
  return element("details", {}, ...parts);
}

function parameter({ name, in: place, required, description, schema }) {
  const of = element("code", {}, ...schemaNodes(schema));
  const note = `${place}${required ? ", required" : ""}. ${description ?? ""}`;
  return [
    element("code", {}, name),
    element("div", {}, of, element("div", { className: "soft" }, note)),
  ];
}

const contents = (content) =>
  Object.entries(content).map(([type, { schema }]) =>
    schema ? element("pre", {}, ...schemaNodes(schema)) : element("pre", {}, type),
  );

function type(name, schema) {
  const title = element("summary", { className: "route" }, name);
  const parts = [title];
  if (schema.description) parts.push(element("p", {}, schema.description));
  const made = element("details", { id: `type-${name}` }, ...parts);
  made.append(element("pre", {}, ...schemaNodes(schema)));
  return made;
}

const heading = (text) => element("h3", {}, text);

const list = (pairs) =>
  element(
    "dl",
    {},
    ...pairs.flatMap(([term, about]) => [element("dt", {}, term), element("dd", {}, about)]),
  );

/** Opens the type that the address names. */
function show() {
  const named = at(decodeURIComponent(location.hash.slice(1)));
  if (named?.tagName !== "DETAILS") return;
  named.open = true;
  named.scrollIntoView();
}

try {
  const answer = await fetch("/api/openapi.json");
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  render(await answer.json());
} catch (error) {
  at("problem").textContent = `The document did not load: ${error.message}`;
}
