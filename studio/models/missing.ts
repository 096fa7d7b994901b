/** Says what is missing from pictures. */
import { RESOLUTION, SHOWN_POINTS } from "./messages.js";

/** By the places of the density that have failed, part by part, and the samples; null if none have. */
export function missingInWords(places: readonly number[], points: number): string | null {
  const all = places.reduce((sum, value) => sum + value, 0);
  return missing([
    { failed: all, of: RESOLUTION ** 2, what: "places of the density" },
    { failed: points, of: SHOWN_POINTS, what: "samples" },
  ]);
}

/** So many of what pictures show have failed; null if none have. */
export function missing(parts: readonly { failed: number; of: number; what: string }[]): string | null {
  const told = parts
    .filter(({ failed }) => failed > 0)
    .map(({ failed, of, what }) => `${failed.toLocaleString("en")} of ${of.toLocaleString("en")} ${what}`);
  if (told.length === 0) return null;
  return `${told.join(" and ")} could not be computed, and are missing from the pictures: a solver missed its tolerance, or the result is not a number.`;
}
