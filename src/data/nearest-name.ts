import leven from "leven";

/** The name that was probably meant: the one most like `name`, or null where none is much like it. */
export function nearestName(name: string, names: readonly string[]): string | null {
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.floor(name.length / 2)) + 1;
  for (const candidate of names) {
    // The distance is at least that of the lengths: a name as long as a file takes no time.
    if (Math.abs(candidate.length - name.length) >= bestDistance) continue;
    const distance = leven(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}
