/** The reproductions by name, loaded when they are wanted. */
import type { Reproduction } from "./reproduction.js";

export const reproductions: Record<string, () => Promise<Reproduction>> = {
  theory: async () => (await import("./theory/index.js")).reproduction,
  "1d": async () => (await import("./staircase/index.js")).reproduction,
  "2d": async () => (await import("./planar/index.js")).reproduction,
  images: async () => (await import("./images/index.js")).reproduction,
  seeds: async () => (await import("./seeds/index.js")).reproduction,
};
