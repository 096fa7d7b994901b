import { createRequire } from "node:module";
import { Resvg } from "@resvg/resvg-js";
import { writeFileAtomically } from "../files.js";
import { encodeIndexed, encodeTrueColour } from "./indexed.js";
import type { Picture } from "./picture.js";

const { resolve } = createRequire(import.meta.url);
// Fonts come with the package: a picture looks the same on a machine that has none.
const fontFiles = ["DejaVuSans", "DejaVuSans-Bold"].map((font) =>
  resolve(`dejavu-fonts-ttf/ttf/${font}.ttf`),
);

/** The picture as a PNG file's bytes, `scale` device pixels to each pixel of the SVG. */
export function renderPng(picture: Picture, scale = 2): Uint8Array {
  const font = { fontFiles, loadSystemFonts: false, defaultFontFamily: "DejaVu Sans" };
  const { width, height, pixels } = new Resvg(picture.svg, {
    font,
    fitTo: { mode: "zoom", value: scale },
  }).render();
  // The page is opaque: three of the four bytes a pixel say everything.
  const data = new Uint8Array(3 * width * height);
  for (let i = 0, j = 0; i < data.length; j++) {
    for (let c = 0; c < 3; c++, i++) data[i] = pixels[4 * j + c];
  }
  return (picture.trueColour ? encodeTrueColour : encodeIndexed)({ width, height, data });
}

/**
 * Writes `path.svg` and `path.png` (folders are made as needed) and returns the two names.
 * Each file appears complete or not at all. Throws `output` where one cannot be written.
 */
export function writePicture(picture: Picture, path: string): string[] {
  const contents = { svg: picture.svg, png: renderPng(picture) };
  return Object.entries(contents).map(([extension, content]) => {
    const file = `${path}.${extension}`;
    writeFileAtomically(file, content);
    return file;
  });
}
