import { FlowError } from "../../errors.js";
import { nearestName } from "../nearest-name.js";
import { checkerboard } from "./checkerboard.js";
import { circles } from "./circles.js";
import { eightGaussians } from "./eight-gaussians.js";
import { moons } from "./moons.js";
import { pinwheel } from "./pinwheel.js";
import { rings } from "./rings.js";
import { swissRoll } from "./swiss-roll.js";
import type { ToyDensity } from "./toy-density.js";
import { twoSpirals } from "./two-spirals.js";

export type { ToyDensity } from "./toy-density.js";

/** The eight toy distributions, in the order of the published tables. */
export const toyDensities: readonly ToyDensity[] = [
  twoSpirals,
  eightGaussians,
  checkerboard,
  circles,
  moons,
  pinwheel,
  rings,
  swissRoll,
];

/** The toy distribution of that name; throws a `FlowError` of code `usage` if there is none. */
export function toyDensity(name: string): ToyDensity {
  const density = toyDensities.find((candidate) => candidate.name === name);
  if (density !== undefined) return density;
  const names = toyDensities.map((candidate) => candidate.name);
  const nearest = nearestName(name, names);
  const hint = nearest === null ? "" : ` (did you mean "${nearest}"?)`;
  throw new FlowError("usage", `there is no data set "${name}"${hint}; known are ${names.join(", ")}`);
}
