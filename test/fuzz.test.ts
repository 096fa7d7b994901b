/** A short run of `npm run fuzz`, which tries many more. */
import { tmpdir } from "node:os";
import { afterAll, expect, it } from "vitest";
import { Fuzzer, isFault } from "../scripts/fuzz/fuzz.js";
import { targets } from "../scripts/fuzz/targets.js";

const seed = 1;
const fuzzer = new Fuzzer(tmpdir(), seed);
afterAll(() => fuzzer.end());

it.each(targets.map(({ name }, i) => [name, i] as const))(
  "%s that was changed is refused, the same, or whole",
  async (_, target) => {
    for (let n = 0; n < 8; n++) {
      const verdict = await fuzzer.try(target + n * targets.length);
      expect(
        isFault(verdict) ? verdict : null,
        `npm run fuzz -- --seed ${seed} --only ${verdict.mutant}`,
      ).toBe(null);
    }
  },
);
