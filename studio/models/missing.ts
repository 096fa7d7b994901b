/** Says what is missing from pictures of a density and of samples. */
import { RESOLUTION, SHOWN_POINTS } from "./messages.js";

/** By the places of the density that have failed, part by part, and the samples; null if none have. */
export function missingInWords(places: readonly number[], points: number): string | null {
  const all = places.reduce((sum, value) => sum + value, 0);
  const of = (count: number, total: number, what: string) =>
    `${count.toLocaleString("en")} of ${total.toLocaleString("en")} ${what}`;
  const parts = [
    ...(all > 0 ? [of(all, RESOLUTION ** 2, "places of the density")] : []),
    ...(points > 0 ? [of(points, SHOWN_POINTS, "samples")] : []),
  ];
  if (parts.length === 0) return null;
  return `${parts.join(" and ")} could not be computed, and are missing from the pictures: a solver missed its tolerance, or the result is not a number.`;
}
