import { expect, it } from "vitest";
import { rateAt } from "./schedule.js";

it("changes the initial rate from the named steps on", () => {
  const schedule = [
    { from: 5, factor: 0.2 },
    { from: 10, factor: 0.04 },
  ];
  const rates = [0, 4, 5, 9, 10, 1000].map((step) => rateAt(step, 10, schedule));
  expect(rates).toEqual([10, 10, 2, 2, 0.4, 0.4]);
});

it("keeps the rate where no change is named", () => {
  expect(rateAt(12, 0.5, [])).toBe(0.5);
});
