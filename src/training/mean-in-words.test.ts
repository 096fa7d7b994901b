import { expect, it } from "vitest";
import { meanInWords } from "./mean-in-words.js";

it("says of a mean what is known, and of a standard error as well", () => {
  expect(meanInWords(1.23456, 0.01, "nats", 20)).toBe("1.2346 ± 0.0100 nats");
  expect(meanInWords(1.23456, 0, "nats", 1)).toBe("1.2346 nats (one row: no standard error)");
  expect(meanInWords(1.23456, Number.NaN, "nats", 2)).toBe("1.2346 nats (standard error not known)");
  for (const mean of [Number.NaN, Number.POSITIVE_INFINITY]) {
    for (const rows of [1, 20]) expect(meanInWords(mean, Number.NaN, "nats", rows)).toBe("not known");
  }
});
