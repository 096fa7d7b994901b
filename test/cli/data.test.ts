import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { toyDensities } from "../../src/data/toy/index.js";
import { monotoneFlow } from "../../src/flows/monotone-flow.js";
import { resolveData } from "../../src/presets/data.js";
import { preset } from "../../src/presets/presets.js";
import { train } from "../../src/training/train.js";
import { json, temporary, writeTable } from "./cli.js";

const folder = temporary();
const quick = ["--steps", "12", "--batch", "60", "--threads", "1"];

it("trains on all eight toy densities", async () => {
  const { flow, training } = preset("monotone");
  expect(toyDensities).toHaveLength(8);
  for (const { name } of toyDensities) {
    const { job, dim } = await resolveData(name, 0);
    const declaration = monotoneFlow({ ...flow, dim });
    const options = { ...training, steps: 2, seed: 0 };
    const losses: number[] = [];
    const { trainer } = await train({ data: job, declaration, options, state: null }, 1, {
      onStep: (_, { loss }) => {
        losses.push(loss);
      },
    });
    expect(trainer.step, name).toBe(2);
    expect(losses[1], name).toBeLessThan(losses[0]);
  }
});

const scores = (file: string) =>
  readFileSync(join(folder, file), "utf8").trim().split("\n").slice(1).map(Number);

describe("tables", () => {
  it.concurrent.each([
    [1, false],
    [16, true],
  ])("of %d columns (header: %s) are trained on, evaluated and scored", async (columns, header) => {
    const name = `table${columns}${header}`;
    writeTable(join(folder, `${name}.csv`), { columns, header });
    const trained = await json(folder, "train", "--data", `${name}.csv`, ...quick, "--out", name);
    expect(trained).toMatchObject({ data: `${name}.csv`, steps: 12, entropy: null, gap: null });
    const [evaluated, scored] = await Promise.all([
      json(folder, "evaluate", name),
      json(folder, "score", name, "--data", `${name}.csv`),
    ]);
    expect(evaluated.testLoss).toBeCloseTo(trained.testLoss, 6);
    expect(evaluated).toMatchObject({ rows: 12, entropy: null, gap: null });
    expect(scored).toMatchObject({ rows: 120, out: null });
    expect(scored.scores).toHaveLength(120);
  });

  it.concurrent("are scored in the units of their columns", async () => {
    writeTable(join(folder, "metres.csv"), { columns: 3 });
    writeTable(join(folder, "decimetres.csv"), { columns: 3, scale: [1, 10, 1] });
    const [small, large] = await Promise.all(
      ["metres", "decimetres"].map(async (unit) => {
        await json(folder, "train", "--data", `${unit}.csv`, ...quick, "--out", unit);
        await json(folder, "score", unit, "--data", `${unit}.csv`, "--out", `${unit}-scores.csv`);
        return scores(`${unit}-scores.csv`);
      }),
    );
    expect(small).toHaveLength(120);
    expect(new Set(small).size).toBeGreaterThan(100);
    large.forEach((score, i) => {
      expect(score - small[i]).toBeCloseTo(-Math.log(10), 3);
    });
  });

  it.concurrent("lend single columns, by number where they have no names", async () => {
    writeTable(join(folder, "bare.csv"), { columns: 3, header: false });
    const trained = await json(
      folder,
      "train",
      "--data",
      "bare.csv",
      "--columns",
      "1",
      ...quick,
      "--out",
      "bare",
    );
    expect((await json(folder, "evaluate", "bare")).testLoss).toBeCloseTo(trained.testLoss, 6);
  });
});
