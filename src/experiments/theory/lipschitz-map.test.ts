import { afterEach, expect, it, vi } from "vitest";
import { testRandom } from "../../../test/support/rows.js";
import { ExactRegime } from "../../bijections/exact-regime.js";
import { LipschitzMap } from "./lipschitz-map.js";
import { optimisable, pairOf } from "./pairs.js";

afterEach(() => vi.restoreAllMocks());

it("has no numbers of a row whose solve missed its tolerance", async () => {
  const map = new LipschitzMap(optimisable(0.6), testRandom(3));
  const pair = pairOf([1, 0.5]);
  const sound = await map.forward("monotone", pair);
  expect(sound.failed).toEqual([]);
  const { solve } = ExactRegime.prototype;
  vi.spyOn(ExactRegime.prototype, "solve").mockImplementation(async function (this: ExactRegime, ...args) {
    await solve.apply(this, args);
    this.counts.unconvergedLanes.push(1);
  });
  const { out, logDet, failed } = await map.forward("monotone", pair);
  expect(failed).toEqual([1]);
  expect(Array.from(out.row(0))).toEqual(Array.from(sound.out.row(0)));
  expect(Array.from(out.row(1))).toEqual([Number.NaN, Number.NaN]);
  expect(Array.from(logDet)).toEqual([sound.logDet[0], Number.NaN]);
  // Nothing is left of it for the next map.
  vi.restoreAllMocks();
  expect(await map.forward("monotone", pair)).toEqual(sound);
});
