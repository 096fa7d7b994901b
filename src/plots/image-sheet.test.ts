import { decode } from "fast-png";
import { expect, it } from "vitest";
import { type ImageSheet, imageSheet } from "./image-sheet.js";
import { renderPng } from "./png.js";

const grey = { channels: 1, height: 2, width: 3 };
const GAP = [176, 176, 176];
const WHITE = [255, 255, 255];

/** The colour of a pixel of the embedded raster, which has two of them to a pixel of the figure. */
function rasterOf({ svg }: { readonly svg: string }) {
  const [, code] = svg.match(/data:image\/png;base64,([^"]+)"/) ?? [];
  const png = decode(Buffer.from(code, "base64"));
  const colour = (x: number, y: number) => {
    const at = y * png.width + x;
    return png.palette ? [...png.palette[png.data[at]]] : [...png.data.slice(3 * at, 3 * at + 3)];
  };
  return { width: png.width, height: png.height, colour };
}

it("puts every pixel of every image where it belongs, with gaps between them", () => {
  // Three images in two columns; a pixel is 2 x 2 of the figure, 4 x 4 of the raster, a gap 4 of the raster.
  const images = Float64Array.from({ length: 18 }, (_, i) => i % 17);
  const { width, height, colour } = rasterOf(
    imageSheet({ images, shape: grey, levels: 17, columns: 2, scale: 2 }),
  );
  expect([width, height]).toEqual([4 + 2 * 16, 4 + 2 * 12]);
  images.forEach((value, at) => {
    const [n, y, x] = [Math.floor(at / 6), Math.floor(at / 3) % 2, at % 3];
    const left = 4 + (n % 2) * 16 + 4 * x;
    const top = 4 + Math.floor(n / 2) * 12 + 4 * y;
    const shade = Math.round((255 * value) / 16);
    for (const inside of [0, 3]) expect(colour(left + inside, top + inside)).toEqual([shade, shade, shade]);
  });
  for (const [x, y] of [
    [0, 0],
    [17, 6],
    [8, 13],
    [19, 27],
  ])
    expect(colour(x, y)).toEqual(GAP);
  expect(colour(24, 20)).toEqual(WHITE);
});

it("keeps the colours of red, green and blue planes, in the PNG as well", () => {
  // More colours than a palette has.
  const side = 20;
  const shape = { channels: 3, height: side, width: side };
  const images = Uint8Array.from({ length: 3 * side * side }, (_, i) => (i * i * 7 + 31 * i) % 256);
  const picture = imageSheet({ images, shape, columns: 1, scale: 1 });
  const { colour } = rasterOf(picture);
  const png = decode(renderPng(picture));
  // The raster lies 14 pixels of the figure from the left and the upper edge of the page.
  const rendered = (x: number, y: number) => {
    const at = 3 * ((y + 28) * png.width + x + 28);
    return [...png.data.slice(at, at + 3)];
  };
  for (let i = 0; i < side * side; i++) {
    const [x, y] = [4 + 2 * (i % side), 4 + 2 * Math.floor(i / side)];
    const expected = [0, 1, 2].map((c) => images[c * side * side + i]);
    expect(colour(x, y)).toEqual(expected);
    expect(rendered(x + 1, y + 1)).toEqual(expected);
  }
});

it("clips values outside the levels and shows what is no number in grey", () => {
  const images = [-3, 300, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 128];
  const { colour } = rasterOf(imageSheet({ images, shape: grey, scale: 1 }));
  const shades = images.map((_, i) => colour(4 + 2 * (i % 3), 4 + 2 * Math.floor(i / 3))[0]);
  expect(shades).toEqual([0, 255, 176, 255, 0, 128]);
});

it("names its rows, which say how many images stand in one", () => {
  const images = new Uint8Array(6 * 8);
  const picture = imageSheet({ images, shape: grey, rowLabels: ["original", "rebuilt"], scale: 1 });
  const { width, height } = rasterOf(picture);
  expect([width, height]).toEqual([4 + 4 * 10, 4 + 2 * 8]);
  for (const name of ["original", "rebuilt"]) expect(picture.svg).toContain(`>${name}</text>`);
});

it("chooses a grid that is about square and a legible scale", () => {
  const shape = { channels: 1, height: 8, width: 8 };
  const { width, height } = rasterOf(imageSheet({ images: new Uint8Array(64 * 10), shape }));
  expect([width, height]).toEqual([4 + 4 * (8 * 14 + 4), 4 + 3 * (8 * 14 + 4)]);
});

it("refuses what makes no sheet", () => {
  const draw = (more: Partial<ImageSheet>) => () =>
    imageSheet({ images: new Uint8Array(24), shape: grey, ...more });
  expect(draw({ images: new Uint8Array(7) })).toThrow("7 values make no images of 1 x 2 x 3");
  expect(draw({ images: [] })).toThrow("0 values make no images");
  expect(draw({ shape: { ...grey, channels: 2 } })).toThrow("1 or 3 channels, not 2");
  expect(draw({ shape: { ...grey, height: 0 } })).toThrow("no images of 1 x 0 x 3");
  expect(draw({ levels: 1 })).toThrow("at least 2 levels, not 1");
  expect(draw({ columns: 0 })).toThrow("positive number of columns, not 0");
  expect(draw({ scale: 1.5 })).toThrow("whole number, not 1.5");
  expect(draw({ columns: 2, rowLabels: ["a"] })).toThrow("1 labels do not fit 2 rows");
});
