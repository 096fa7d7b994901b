import { expect, it } from "vitest";
import { slopeBounds } from "./slopes.js";

it.each([
  ["residual", 0.5, 1.5],
  ["inverse-residual", 2 / 3, 2],
  ["monotone", 1 / 3, 3],
] as const)("the slopes of a %s block of a network with L = 1/2 are %d to %d", (kind, least, most) => {
  expect(slopeBounds[kind](0.5)).toEqual([least, most]);
  // Of the network 0 every block is the identity.
  expect(slopeBounds[kind](0)).toEqual([1, 1]);
});
