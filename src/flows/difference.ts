import { isDeepStrictEqual } from "node:util";
import { quoted } from "../errors.js";

/** Where two JSON values differ first, the names of its keys with dots between them, and what stands there. */
export interface Difference {
  readonly place: string;
  readonly a: string;
  readonly b: string;
}

/** The first difference of two JSON values; null where they are equal. */
export function firstDifference(a: unknown, b: unknown, place = ""): Difference | null {
  if (isDeepStrictEqual(a, b)) return null;
  if (typeof a === "object" && typeof b === "object" && a !== null && b !== null) {
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
      const [left, right] = [a, b].map((object) => (object as Record<string, unknown>)[key]);
      const found = firstDifference(left, right, place === "" ? key : `${place}.${key}`);
      if (found) return found;
    }
  }
  return { place: place || "its top", a: brief(a), b: brief(b) };
}

const brief = (value: unknown) => (value === undefined ? "missing" : quoted(value));
