// WCAG 2.2 AA, as far as a program can measure it: the rules of axe-core, and the contrast of the
// borders of controls, for which axe-core has no rule.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const OPTIONS = {
  runOnly: { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] },
  rules: {
    "target-size": { enabled: true },
    // An experiment of axe-core: it takes the hidden letter of an avatar for a part of the label.
    "label-content-name-mismatch": { enabled: false },
  },
  resultTypes: ["violations"],
};

/** The minimal contrast of what identifies a control. */
const BORDER_CONTRAST_MIN = 3;

/** Asserts that the view which `person` sees has no violation. */
export async function assertAccessible({ page }, view) {
  // By name, because the page's policy lets in no script.
  if (!(await page.evaluate("typeof axe === 'object'"))) await page.evaluate(AXE);
  const { violations } = await page.evaluate((options) => window.axe.run(options), OPTIONS);
  const found = violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(" ")}\n${failureSummary}`),
  );
  assert.deepEqual(found, [], view);
  const faint = (await page.evaluate(borders)).filter(({ ratio }) => ratio < BORDER_CONTRAST_MIN);
  assert.deepEqual(faint, [], `${view}: borders of controls`);
}

/** For each control with a border: the contrast of the border and of what is around it. */
function borders() {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((it) => {
      const part = it / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const around = (node) => {
    for (let it = node.parentElement; it; it = it.parentElement) {
      const colour = rgba(getComputedStyle(it).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const controls = document.querySelectorAll("input, select, textarea, button, .field");
  const bordered = [...controls].filter((it) => {
    const style = getComputedStyle(it);
    return it.checkVisibility() && !it.disabled && Number.parseFloat(style.borderTopWidth) > 0;
  });
  return bordered.map((it) => {
    const [one, other] = [rgba(getComputedStyle(it).borderTopColor), around(it)].map(luminance);
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    return { control: it.outerHTML.slice(0, 120), ratio };
  });
}
