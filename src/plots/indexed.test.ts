import { convertIndexedToRgb, decode } from "fast-png";
import { expect, it } from "vitest";
import { encodeIndexed } from "./indexed.js";

function decoded(width: number, height: number, data: Uint8Array) {
  const png = decode(encodeIndexed({ width, height, data }));
  return { ...png, rgb: convertIndexedToRgb(png) };
}

it("keeps up to 256 colours as they are", () => {
  const data = Uint8Array.from({ length: 3 * 256 }, (_, i) => (7 * i) % 256);
  const { width, height, rgb } = decoded(64, 4, data);
  expect([width, height]).toEqual([64, 4]);
  expect(Array.from(rgb)).toEqual(Array.from(data));
});

it("keeps the popular ones of more colours, and stays near the others", () => {
  const pixels = 100 * 100;
  const data = new Uint8Array(3 * pixels).fill(255);
  // A ramp of 1,000 rare colours on white.
  for (let i = 0; i < 1000; i++) data.set([i % 256, (i >> 2) % 256, 255 - (i % 256)], 3 * i);
  const { rgb, palette } = decoded(100, 100, data);
  expect(palette).toHaveLength(256);
  expect(Array.from(rgb.subarray(3000))).toEqual(Array.from(data.subarray(3000)));
  const errors = Array.from({ length: 1000 }, (_, i) =>
    Math.hypot(...[0, 1, 2].map((c) => rgb[3 * i + c] - data[3 * i + c])),
  );
  expect(Math.max(...errors)).toBeLessThan(24);
});
