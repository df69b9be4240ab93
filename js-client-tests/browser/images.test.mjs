// Images are sent as bytes.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { browserForThisFile, ChatPage } from "../support/chat-page.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({ settings: { "limits.body_bytes_max": 2_000 } });
const chromium = browserForThisFile();

/** One green pixel. */
const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);
const SVG = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');

const file = (buffer, name = "dot.png", mimeType = "image/png") => ({ buffer, name, mimeType });

/** Chooses a file with the attachment button. */
async function chooses({ page, button }, chosen) {
  const asked = page.waitForEvent("filechooser");
  await button("Send an image").click();
  await (await asked).setFiles(chosen);
}

async function annInRoom(t) {
  const room = unique("room");
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  await ann.joinRoom(room);
  return { ann, room, button: (name) => ann.button(name) };
}

/** Waits until an image with this name is shown and decoded. */
async function seesImage({ log }, name) {
  const image = log.getByRole("img", { name, exact: true });
  await image.waitFor();
  assert.equal(await image.evaluate((it) => it.decode().then(() => it.naturalWidth)), 1);
}

test("a chosen image is shown to the others, with its text", async (t) => {
  const { ann, room, button } = await annInRoom(t);
  const bob = await (await ChatPage.open(t, chromium, server)).signIn("bob");
  await bob.joinRoom(room);
  const carol = await joinAsGuest(t, wsJson, server, "carol", { room });
  await chooses({ page: ann.page, button }, file(PNG));
  await ann.page.getByText("dot.png, 70 bytes").waitFor();
  await ann.saveScreenshot("image-chosen");
  await ann.send("look at this");
  for (const it of [ann, bob]) {
    await seesImage(it, "dot.png");
    await it.waitForMessage("look at this");
  }
  await ann.saveScreenshot("image");
  const { msg } = await carol.next("new message");
  assert.deepEqual(msg, {
    image: { base64: PNG.toString("base64") },
    type: "image/png",
    name: "dot.png",
  });
  await bob.page.reload();
  await bob.connected();
  await bob.room(room).click();
  await seesImage(bob, "dot.png");
});

test("a pasted image is sent to one user, and can be removed before", async (t) => {
  const { ann } = await annInRoom(t);
  const bob = await joinAsGuest(t, wsJson, server, "bob");
  await ann.room("lobby").click();
  await ann.person(bob.name).click();
  for (const name of ["no.png", "yes.png"]) {
    await ann.messageBox.evaluate(
      (field, [bytes, called]) => {
        const clipboardData = new DataTransfer();
        clipboardData.items.add(new File([new Uint8Array(bytes)], called, { type: "image/png" }));
        field.dispatchEvent(new ClipboardEvent("paste", { clipboardData, cancelable: true }));
      },
      [[...PNG], name],
    );
    await ann.page.getByText(`${name}, 70 bytes`).waitFor();
    if (name === "no.png") await ann.button("Remove image").click();
  }
  await ann.messageBox.press("Enter");
  assert.equal((await bob.next("SingleChat")).data.name, "yes.png");
  await seesImage(ann, "yes.png");
});

test("a file that is not an image, or too large, is not sent, and the page says why", async (t) => {
  const { ann, button } = await annInRoom(t);
  const alert = ann.page.getByRole("alert");
  for (const no of [file(SVG, "x.svg", "image/svg+xml"), file(SVG, "x.png")]) {
    await chooses({ page: ann.page, button }, no);
    await alert.filter({ hasText: "Only PNG, JPEG, GIF and WebP" }).waitFor();
    await ann.messageBox.fill("x");
    await ann.messageBox.fill("");
  }
  await chooses({ page: ann.page, button }, file(Buffer.concat([PNG, Buffer.alloc(2_000)])));
  await ann.button("Remove image").waitFor();
  await ann.messageBox.press("Enter");
  await alert.filter({ hasText: "too large by" }).waitFor();
  assert.equal(await ann.log.getByRole("img").count(), 0);
});

test("an SVG that is sent as an image is not shown as one", async (t) => {
  const { ann, room } = await annInRoom(t);
  const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
  const image = { base64: SVG.toString("base64") };
  assertOk(await bob.ask("send message", { msg: { image, type: "image/svg+xml", name: "x.svg" } }));
  assertOk(await bob.ask("send message", "the last"));
  await ann.waitForMessage("the last");
  assert.equal(await ann.log.getByRole("img").count(), 0);
});
