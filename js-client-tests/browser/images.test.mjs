// Images are sent as bytes.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { browserForThisFile, ChatPage } from "../support/chat-page.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { exifSegment, imageBody, png, segment } from "../support/images.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const BODY_BYTES_MAX = 20_000;

const server = serverForThisFile({ settings: { "limits.body_bytes_max": BODY_BYTES_MAX } });
const chromium = browserForThisFile();

const DOT = png(1, 1);
const SVG = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');

const file = (buffer, name = "dot.png", mimeType = "image/png") => ({ buffer, name, mimeType });

/** Chooses files with the button for images. */
async function chooses({ page, button }, ...chosen) {
  const asked = page.waitForEvent("filechooser");
  await button("Send images").click();
  await (await asked).setFiles(chosen);
}

/** Pastes or drops files, as a browser does. */
const gives = (place, kind, files) =>
  place.evaluate(
    (node, [type, given]) => {
      const data = new DataTransfer();
      for (const [bytes, name] of given) {
        data.items.add(new File([new Uint8Array(bytes)], name, { type: "image/png" }));
      }
      const options = { cancelable: true, bubbles: true };
      if (type === "paste") {
        node.dispatchEvent(new ClipboardEvent(type, { ...options, clipboardData: data }));
      } else {
        node.dispatchEvent(new DragEvent("dragover", { ...options, dataTransfer: data }));
        node.dispatchEvent(new DragEvent(type, { ...options, dataTransfer: data }));
      }
    },
    [kind, files.map(({ buffer, name }) => [[...buffer], name])],
  );

async function annInRoom(t) {
  const room = unique("room");
  const ann = await (await ChatPage.open(t, chromium, server)).signIn("ann");
  await ann.joinRoom(room);
  return { ann, room, button: (name) => ann.button(name) };
}

/** Waits until an image with this name is shown and decoded, and returns its width and height. */
async function seesImage({ log }, name) {
  const image = log.getByRole("img", { name, exact: true });
  await image.waitFor();
  return image.evaluate((it) => it.decode().then(() => [it.naturalWidth, it.naturalHeight]));
}

test("a chosen image is shown to the others, with its description and caption", async (t) => {
  const { ann, room, button } = await annInRoom(t);
  const bob = await (await ChatPage.open(t, chromium, server)).signIn("bob");
  await bob.joinRoom(room);
  const carol = await joinAsGuest(t, wsJson, server, "carol", { room });
  await chooses({ page: ann.page, button }, file(DOT));
  await ann.page.getByText(`dot.png, ${DOT.length} bytes`).waitFor();
  await ann.page.getByRole("textbox", { name: "Description of dot.png" }).fill("A grey dot");
  await ann.saveScreenshot("image-chosen");
  await ann.send("look at *this*");
  for (const it of [ann, bob]) {
    assert.deepEqual(await seesImage(it, "A grey dot"), [1, 1]);
    await it.waitForMessage("look at this");
  }
  await ann.saveScreenshot("image");
  const { msg } = await carol.next("new message");
  assert.deepEqual(msg, {
    image: { base64: DOT.toString("base64") },
    type: "image/png",
    name: "dot.png",
    alt: "A grey dot",
    text: "look at *this*",
  });
  // The caption can be edited, and the image stays.
  await ann.messageBox.press("ArrowUp");
  const editor = ann.page.getByRole("textbox", { name: "Edit message", exact: true });
  assert.equal(await editor.inputValue(), "look at *this*");
  await editor.fill("look at that");
  await editor.press("Enter");
  await bob.waitForMessage("look at that");
  await bob.page.reload();
  await bob.connected();
  await bob.room(room).click();
  await bob.waitForMessage("look at that");
  assert.deepEqual(await seesImage(bob, "A grey dot"), [1, 1]);
});

test("images are pasted and dropped, several at once, and can be removed before", async (t) => {
  const { ann } = await annInRoom(t);
  const bob = await joinAsGuest(t, wsJson, server, "bob");
  await ann.room("lobby").click();
  await ann.person(bob.name).click();
  await gives(ann.messageBox, "paste", [file(DOT, "no.png"), file(DOT, "yes.png")]);
  await ann.page.getByText(`yes.png, ${DOT.length} bytes`).waitFor();
  await ann.button("Remove no.png").click();
  await gives(ann.log, "drop", [file(DOT, "dropped.png")]);
  await ann.button("Remove dropped.png").waitFor();
  await ann.messageBox.press("Enter");
  for (const name of ["yes.png", "dropped.png"]) {
    assert.equal((await bob.next("SingleChat")).data.name, name);
    await seesImage(ann, name);
  }
});

test("a caption is not wider than its image", async (t) => {
  const { ann, room } = await annInRoom(t);
  const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
  const text = unique("a caption of many words ".repeat(9));
  assertOk(await bob.ask("send message", { room, msg: imageBody(png(300, 60), { text }) }));
  await ann.waitForMessage(text);
  const bubble = ann.log.locator(".bubble").filter({ hasText: text });
  const [image, around] = await Promise.all(
    [bubble.getByRole("img"), bubble].map(async (it) => (await it.boundingBox()).width),
  );
  assert.ok(around - image < 20, `${around} px around ${image} px`);
});

/** A photo that was taken with the camera turned, and says where. */
async function photo({ page }, width, height) {
  const bytes = await page.evaluate(
    async (noise) => {
      const bitmap = await createImageBitmap(new Blob([new Uint8Array(noise)]));
      const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
      canvas.getContext("2d").drawImage(bitmap, 0, 0);
      const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.95 });
      return [...new Uint8Array(await blob.arrayBuffer())];
    },
    [...png(width, height, { noise: true })],
  );
  return Buffer.concat([
    Buffer.from(bytes.slice(0, 2)),
    exifSegment(6),
    segment(0xe1, "http://ns.adobe.com/xap/1.0/\0secret place"),
    segment(0xed, "Photoshop 3.0\0secret place"),
    segment(0xfe, "secret place"),
    Buffer.from(bytes.slice(2)),
    segment(0xe1, "after the end: secret place"),
  ]);
}

test("a photo that is too large is made smaller, as it was held", async (t) => {
  const { ann, room, button } = await annInRoom(t);
  const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
  const large = await photo(ann, 600, 400);
  assert.ok(5 * BODY_BYTES_MAX < large.length, `the photo has ${large.length} bytes`);
  await chooses({ page: ann.page, button }, file(large, "photo.jpg", "image/jpeg"));
  await ann.button("Remove photo.webp").waitFor();
  await ann.messageBox.press("Enter");
  const [width, height] = await seesImage(ann, "photo.webp");
  assert.ok(60 <= width && Math.abs(height / width - 1.5) < 0.05, `${width} × ${height}`);
  assert.equal((await bob.next("new message")).msg.type, "image/webp");
});

test("a photo is sent without what the camera wrote into it, and shown as it was held", async (t) => {
  const { ann, room, button } = await annInRoom(t);
  const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
  const small = await photo(ann, 30, 20);
  assert.ok(small.includes("secret place") && small.length < BODY_BYTES_MAX);
  await chooses({ page: ann.page, button }, file(small, "photo.jpg", "image/jpeg"));
  await ann.button("Remove photo.jpg").waitFor();
  await ann.messageBox.press("Enter");
  assert.deepEqual(await seesImage(ann, "photo.jpg"), [20, 30]);
  const { msg } = await bob.next("new message");
  const sent = Buffer.from(msg.image.base64, "base64");
  assert.equal(msg.type, "image/jpeg");
  assert.equal(sent.includes("secret"), false, "the place is in the image");
  // The pixels are those of the photo.
  const pixels = (it) =>
    it.subarray(it.indexOf(Buffer.from([0xff, 0xdb])), it.lastIndexOf("after"));
  assert.deepEqual(
    sent.subarray(sent.indexOf(Buffer.from([0xff, 0xdb]))),
    pixels(small).subarray(0, -4),
  );
});

test("a photo whose segments the page does not read is converted", async (t) => {
  const { ann, button } = await annInRoom(t);
  const usual = await photo(ann, 30, 20);
  const padded = Buffer.concat([usual.subarray(0, 2), Buffer.from([0xff]), usual.subarray(2)]);
  await chooses({ page: ann.page, button }, file(padded, "photo.jpg", "image/jpeg"));
  await ann.button("Remove photo.webp").waitFor();
});

test("a click enlarges an image, and arrow keys go through all", async (t) => {
  const { ann, room } = await annInRoom(t);
  const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
  const images = [200, 300, 400].map((width) => png(width, 100));
  for (const [n, image] of images.entries()) {
    assertOk(await bob.ask("send message", { msg: imageBody(image, { alt: `number ${n}` }) }));
  }
  await seesImage(ann, "number 2");
  const opener = ann.log.getByRole("button", { name: "number 1", exact: true });
  await opener.click();
  const dialog = ann.page.getByRole("dialog", { name: "Image", exact: true });
  const shows = (n) => dialog.getByRole("img", { name: `number ${n}`, exact: true }).waitFor();
  await shows(1);
  await dialog.getByText("2 of 3", { exact: true }).waitFor();
  await ann.saveScreenshot("lightbox");
  await ann.page.keyboard.press("ArrowRight");
  await shows(2);
  await dialog.getByRole("button", { name: "Previous image" }).click();
  await ann.page.keyboard.press("ArrowLeft");
  await shows(0);
  assert.equal(await dialog.getByRole("button", { name: "Previous image" }).isDisabled(), true);
  await ann.page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  assert.ok(await opener.evaluate((it) => it === document.activeElement), "the focus is lost");
});

test("a file that is no image, or an animation too large, is not sent, and the page says why", async (t) => {
  const { ann, button } = await annInRoom(t);
  const alert = ann.page.getByRole("alert");
  for (const no of [file(SVG, "x.svg", "image/svg+xml"), file(SVG, "x.png")]) {
    await chooses({ page: ann.page, button }, no);
    await alert.filter({ hasText: "Only PNG, JPEG, GIF and WebP" }).waitFor();
    await ann.messageBox.fill("x");
    await ann.messageBox.fill("");
  }
  const animation = Buffer.concat([Buffer.from("GIF89a"), Buffer.alloc(BODY_BYTES_MAX)]);
  await chooses({ page: ann.page, button }, file(animation, "a.gif", "image/gif"));
  await alert.filter({ hasText: /^a\.gif: .*too large by/ }).waitFor();
  await ann.messageBox.press("Enter");
  assert.equal(await ann.log.getByRole("article").count(), 0);
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
