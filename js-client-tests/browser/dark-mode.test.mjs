// Light and dark mode, as the system is set.

import assert from "node:assert/strict";
import { test } from "node:test";

import { browserForThisFile, ChatPage } from "../support/chat-page.mjs";
import { serverForThisFile } from "../support/server.mjs";

/** The minimal contrast of WCAG AA. */
const CONTRAST_MIN = 4.5;

const server = serverForThisFile();
const chromium = browserForThisFile();

for (const colorScheme of ["light", "dark"]) {
  test(`the page is ${colorScheme} on a ${colorScheme} system, and readable`, async (t) => {
    const ann = await ChatPage.open(t, chromium, server, { colorScheme });
    await ann.saveScreenshot(`${colorScheme}-sign-in`);
    await ann.signIn("ann");
    await ann.send("Can you read this?");
    await ann.waitForMessage("Can you read this?");
    await ann.saveScreenshot(colorScheme);
    const { paper, ink } = await colours(ann);
    const isDark = luminance(paper) < 0.5;
    assert.equal(isDark, colorScheme === "dark", `the background is ${paper}`);
    const contrast = contrastOf(paper, ink);
    assert.ok(CONTRAST_MIN <= contrast, `${ink} on ${paper}: ${contrast.toFixed(1)}`);
  });
}

/** The colours of the background and of the text, as red, green and blue from 0 to 255. */
function colours({ page }) {
  return page.evaluate(() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const read = (colour) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const { backgroundColor, color } = getComputedStyle(document.body);
    return { paper: read(backgroundColor), ink: read(color) };
  });
}

function luminance(rgb) {
  const [r, g, b] = rgb.map((it) => {
    const part = it / 255;
    return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrastOf(one, other) {
  const [bright, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (bright + 0.05) / (dark + 0.05);
}
