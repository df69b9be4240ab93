// A JSON Schema as text in the way of TypeScript, with links to named types.

import { element } from "./dom.js";

/** Text and links for a schema, `depth` levels inside of objects. */
export function schemaNodes(schema = {}, depth = 0) {
  const { $ref, oneOf, anyOf, allOf, type, format, enum: values } = schema;
  if ($ref) {
    const name = $ref.split("/").pop();
    return [element("a", { href: `#type-${name}` }, name)];
  }
  if ("const" in schema) return [JSON.stringify(schema.const)];
  if (values) return [values.map((it) => JSON.stringify(it)).join(" | ")];
  if (schema.properties) return [...object(schema, depth), ...choices(allOf)];
  const either = oneOf ?? anyOf;
  if (either) return join(either.map((it) => schemaNodes(it, depth)));
  if (type === "array" || (Array.isArray(type) && type.includes("array") && schema.items)) {
    const orNull = Array.isArray(type) ? " | null" : "";
    return ["Array<", ...schemaNodes(schema.items, depth), `>${orNull}`];
  }
  if (type === undefined) return ["any"];
  const named = [type].flat().map((it) => (it === "string" && format ? format : it));
  return [named.join(" | ")];
}

function object({ properties, required = [] }, depth) {
  const indent = "  ".repeat(depth + 1);
  const lines = Object.entries(properties).flatMap(([name, of]) => {
    const about = of.description ? `  // ${of.description}` : "";
    const mark = required.includes(name) ? "" : "?";
    return [`${indent}${name}${mark}: `, ...schemaNodes(of, depth + 1), `${about}\n`];
  });
  return ["{\n", ...lines, `${"  ".repeat(depth)}}`];
}

/** Which keys exclude each other. */
function choices(all = []) {
  return all.flatMap(({ oneOf = [] }) => {
    const keys = oneOf.flatMap(({ required = [] }) => required);
    const least = oneOf.some((it) => it.not) ? "at most" : "exactly";
    return keys.length ? [` with ${least} one of ${keys.join(", ")}`] : [];
  });
}

function join(alternatives) {
  return alternatives.flatMap((nodes, place) => (place === 0 ? nodes : [" | ", ...nodes]));
}
