/* The map as a file: the server's SVG, or a PNG painted from it. */

import { get } from "./dom.js";

const SHARP = 2;
const MOST = 12_000;

function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Save the map as a PNG, twice as sharp as on the screen. Throws where it can't be had. */
export async function savePng(url, name) {
  const response = await get(url);
  if (!response.ok) throw new Error(`The picture was answered with ${response.status}.`);
  const text = await response.text();
  const image = new Image();
  const loaded = new Promise((resolve, reject) => {
    image.onload = resolve;
    image.onerror = () => reject(new Error("The picture could not be painted."));
  });
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await loaded;
  const sharp = Math.min(SHARP, MOST / Math.max(image.width, image.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(image.width * sharp);
  canvas.height = Math.round(image.height * sharp);
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  download(blob, `${name}.png`);
}
