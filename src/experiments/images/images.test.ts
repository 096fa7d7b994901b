import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { idxHeader } from "../../data/images/idx.js";
import { imageFlow } from "../../flows/image-flow.js";
import { loadFlow } from "../../flows/model-files.js";
import { imagePresets } from "../../presets/image-presets.js";
import { claimsOf } from "../../reports/report.js";
import { Run } from "../../runs/run.js";
import { trainRun } from "../../runs/train-run.js";
import { dataSource } from "../../training/job.js";
import { keepTestLosses, testLossesOf } from "../test-losses.js";
import { measure } from "./measure.js";
import {
  activations,
  configOf,
  type ImageTask,
  imagesOf,
  models,
  monotoneFlows,
  nameOf,
  planOf,
} from "./protocol.js";
import { originInWords, reportOf } from "./report.js";
import { advantage, type Result, resultFor, resultOf, type TaskResult } from "./results.js";
import { changesClaim, exactClaim, isExact, lowerClaim, reconstructionClaim } from "./tables.js";

const folder = mkdtempSync(join(tmpdir(), "images-reproduction-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** MNIST's files with four images for training and two for testing. */
function smallMnist(): string {
  const dir = join(folder, "mnist");
  const images = (count: number) =>
    Buffer.concat([
      idxHeader([count, 28, 28]),
      Uint8Array.from({ length: count * 784 }, (_, i) => (31 * i) & 255),
    ]);
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, "train-images-idx3-ubyte"), images(4));
  writeFileSync(join(dir, "t10k-images-idx3-ubyte"), images(2));
  return folder;
}

describe("the plan", () => {
  it("has the digits at full length, and says where people get the rest", () => {
    const { tasks, missing } = planOf({ quick: false });
    expect(tasks).toEqual([
      { data: "digits", title: "Digits", preset: "digits", steps: imagePresets.digits.steps },
    ]);
    expect(missing.map(({ title }) => title)).toEqual(["MNIST", "CIFAR-10"]);
    expect(missing[0].needs).toMatch(/^train-images-idx3-ubyte and t10k-images.* is at yann\.lecun\.com/);
    expect(missing[1].needs).toMatch(/^data_batch_1\.bin to data_batch_5\.bin and .* is at www\.cs\.toronto/);
  });

  it("includes what is there, for as many steps as are wanted", () => {
    const dataDir = smallMnist();
    const { tasks, missing } = planOf({ quick: false, dataDir });
    expect(tasks[1]).toEqual({ data: "mnist", title: "MNIST", preset: "mnist-small", steps: 10_000 });
    expect(missing.map(({ title }) => title)).toEqual(["CIFAR-10"]);
    const shorter = planOf({ quick: false, dataDir, imageSteps: 70 });
    expect(shorter.tasks.map(({ steps }) => steps)).toEqual([imagePresets.digits.steps, 70]);
  });

  it("refuses a folder without any of it", () => {
    const dataDir = mkdtempSync(join(folder, "empty-"));
    expect(() => planOf({ quick: false, dataDir })).toThrow(
      /empty-\w+ holds neither MNIST nor CIFAR-10\. MNIST needs train-images.*lecun.*CIFAR-10 needs data_batch/,
    );
    expect(() => planOf({ quick: false, dataDir: join(dataDir, "no") })).toThrow("there is no such folder");
  });

  it("gives the models of a data set one size, seed and length, and one rank", async () => {
    const { tasks } = planOf({ quick: false, dataDir: smallMnist(), imageSteps: 70 });
    for (const task of tasks) {
      const images = await imagesOf(task, folder, 3);
      const configs = models.map((model) => configOf(task, model, images, 3));
      expect(new Set(models.map((model) => nameOf(task, model))).size).toBe(4);
      for (const { training, threads } of configs) {
        expect(training).toMatchObject({ steps: task.steps, seed: 3, batch: 64 });
        expect(threads).toBe(1);
      }
      const alike = configs.map(({ flow }) =>
        JSON.stringify(flow)
          .replace(/"(residual|monotone)"/g, '""')
          .replace(/"(CLipSwish|CPila)"/g, '""'),
      );
      expect(new Set(alike).size).toBe(1);
      expect(new Set(configs.map(({ flow }) => JSON.stringify(flow))).size).toBe(4);
      const path = join(folder, "kept", task.data);
      Run.create(path, configs[3]);
      expect(Run.open(path).config).toEqual(JSON.parse(JSON.stringify(configs[3])));
    }
  });
});

describe("a reproduction of tiny flows", () => {
  const task: ImageTask = { data: "digits", title: "Digits", preset: "digits", steps: 12 };
  let result: TaskResult;

  beforeAll(async () => {
    const images = await imagesOf(task, undefined, 0);
    const source = await dataSource(images.job);
    const results: Result[] = [];
    for (const model of models) {
      const config = configOf(task, model, images, 0);
      const flow = imageFlow({
        channels: 1,
        height: 8,
        width: 8,
        levels: 17,
        blocks: [1, 1],
        growth: 4,
        depth: 1,
        connected: { blocks: 1, stem: 4, growth: 4 },
        ...model,
      });
      const run = Run.create(join(folder, "runs", nameOf(task, model)), { ...config, flow });
      if (images.job.kind !== "images") throw new Error("no images");
      const { test } = await trainRun({ run, data: images.job, state: null }, { goOn: "" });
      keepTestLosses(run, test.losses);
      const losses = testLossesOf(run);
      const trained = await loadFlow(run.path);
      results.push(resultOf(run, model, losses, await measure(trained, trained, source, 0, losses.length)));
    }
    result = { task, images: source.image!, trained: 1500, tested: 297, results };
  }, 60_000);

  /** The same where the models have these mean losses, in their order. */
  const withLosses = (
    means: number[],
    change: (result: Result) => Partial<Result> = () => ({}),
  ): TaskResult => {
    const results = result.results.map((r, i) => {
      const by = means[i] - r.loss.value;
      const losses = r.losses.map((loss) => loss + by);
      const exact = r.exact?.map((loss) => loss + by) ?? null;
      return { ...r, losses, loss: { ...r.loss, value: means[i] }, exact, ...change(r) };
    });
    return { ...result, results };
  };
  const verdicts = (task: TaskResult) =>
    [
      ...activations.map((activation) => lowerClaim(task, activation)),
      changesClaim(task),
      reconstructionClaim(task),
      exactClaim(task, task.results.filter(isExact)),
    ].map(({ holds }) => holds);
  const good = [3, 2.9, 2.8, 2.7];

  it("knows of every image what it costs, by estimate and exactly", () => {
    for (const { losses, loss, exact } of result.results) {
      expect(losses).toHaveLength(297);
      expect(losses.reduce((a, b) => a + b) / 297).toBeCloseTo(loss.value, 10);
      const errors = exact!.map((value, i) => Math.abs(value - losses[i]));
      expect(Math.max(...errors)).toBeLessThan(0.5);
      expect(Math.max(...errors)).toBeGreaterThan(0);
    }
  });

  it("begins and ends its paths at test images, and brings images back", () => {
    const { paths, originals, reconstructed, samples, largestError } = resultFor(
      result.results,
      monotoneFlows,
    );
    expect([paths.length, originals.length, samples.length]).toEqual([6 * 12 * 64, 12 * 64, 96 * 64]);
    const far = (a: readonly number[], b: readonly number[]) =>
      Math.max(...a.map((value, i) => Math.abs(value - b[i])));
    // A pixel whose noise is next to a level may fall to the other side.
    expect(far(paths.slice(0, 64), originals.slice(0, 64))).toBeLessThanOrEqual(1);
    expect(far(paths.slice(11 * 64, 12 * 64), originals.slice(6 * 64, 7 * 64))).toBeLessThanOrEqual(1);
    expect(far(reconstructed, originals)).toBeLessThanOrEqual(1);
    expect(largestError).toBeLessThan(0.01);
  });

  it("compares models image by image", () => {
    const [a, b] = result.results;
    const lead = advantage(a, b);
    expect(lead.value).toBeCloseTo(b.loss.value - a.loss.value, 10);
    expect(lead.standardError).toBeLessThan(a.loss.standardError);
  });

  it.each([
    { means: [3, 2.9, 2.8, 2.7], holds: [true, true, true, true, true] },
    { means: [3, 2.9, 3.1, 2.7], holds: [false, true, false, true, true] },
    { means: [3, 2.9, 2.8, 2.85], holds: [true, true, false, true, true] },
    { means: [3, 3.1, 2.8, 2.7], holds: [true, true, false, true, true] },
    { means: [3, 2.6, 2.8, 2.7], holds: [true, false, false, true, true] },
  ])("says of losses $means what holds", ({ means, holds }) => {
    expect(verdicts(withLosses(means))).toEqual(holds);
  });

  it("fails images that do not come back, and estimates that are off", () => {
    const only = (change: Partial<Result>) => (r: Result) => (r.model === models[1] ? change : {});
    // 1e-4 of 17 levels.
    expect(verdicts(withLosses(good, only({ largestError: 0.0016 })))).toEqual([
      true,
      true,
      true,
      true,
      true,
    ]);
    expect(verdicts(withLosses(good, only({ largestError: 0.0018 })))).toEqual([
      true,
      true,
      true,
      false,
      true,
    ]);
    expect(verdicts(withLosses(good, only({ largestError: Number.NaN })))[3]).toBe(false);
    const off = result.results[1].exact?.map((loss) => loss + 1) ?? null;
    expect(verdicts(withLosses(good, only({ exact: off })))).toEqual([true, true, true, true, false]);
    const lost = result.results[1].exact?.map((loss, i) => (i === 7 ? Number.NaN : loss)) ?? null;
    expect(verdicts(withLosses(good, only({ exact: lost })))).toEqual([true, true, true, true, false]);
    // Far off on the average and scattered so widely that it is within four standard errors.
    const wild = result.results[1].losses.map((loss, i) => loss + (i % 2 === 0 ? 9 : -8));
    const scattered = verdicts(withLosses(good, (r) => (r.model === models[1] ? { exact: [...wild] } : {})));
    expect(scattered).toEqual([true, true, true, true, false]);
  });

  it("calls no loss lower that is so by less than two paired test errors", () => {
    const { standardError } = advantage(result.results[3], result.results[1]);
    const means = [3, 2.9, 2.8, 2.9 - 1.9 * standardError];
    expect(verdicts(withLosses(means)).slice(0, 3)).toEqual([true, false, false]);
    means[3] = 2.9 - 2.1 * standardError;
    expect(verdicts(withLosses(means)).slice(0, 2)).toEqual([true, true]);
  });

  it("has pictures, tables, and what is missing", () => {
    const exact = withLosses(good);
    // Large images have no exact log-determinants, and then no table of them.
    const large = withLosses(good, () => ({ exact: null }));
    const mnist = { ...large, task: { ...task, data: "mnist", title: "MNIST" } as const };
    const [missing] = planOf({ quick: false }).missing;
    const report = reportOf([exact, mnist], [missing], true);
    const { sections } = report;
    expect(sections.map(({ title }) => title)).toEqual([
      "What is compared",
      "Digits",
      "MNIST",
      "What is missing",
    ]);
    expect(claimsOf(report).map(({ holds }) => holds)).toEqual(Array.from({ length: 9 }, () => true));
    const figures = sections.map(({ items }) =>
      items.flatMap((item) => (item.kind === "figure" ? [item.name] : [])),
    );
    expect(figures[1]).toEqual([
      "digits-curves",
      "digits-comparison",
      "digits-samples",
      "digits-interpolations",
      "digits-reconstructions",
    ]);
    expect(figures[2]).toHaveLength(5);
    const tables = sections.map(({ items }) =>
      items.flatMap((item) => (item.kind === "table" ? [item.rows.length] : [])),
    );
    // MNIST has a table of published values, and words on where its files come from.
    expect(tables).toEqual([[], [2, 4, 4], [2, 5, 4], []]);
    const captions = sections[2].items.flatMap((item) => (item.kind === "table" ? [item.caption] : []));
    expect(captions[1]).toMatch(
      /12 training steps of the 500 of a preset that is smaller than theirs; 1,500 of the 60,000/,
    );
    const origin = (words?: string) => originInWords([exact, mnist], words).map((i) => "text" in i && i.text);
    expect(sections[0].items[1]).toEqual(originInWords([exact, mnist], undefined)[0]);
    expect(origin()[0]).toMatch(/^Whether the files of MNIST are the published ones was not said/);
    expect(origin("decoded from JPEG")).toEqual(["Origin of the files of MNIST: decoded from JPEG"]);
    expect(originInWords([exact], undefined)).toEqual([]);
    expect(sections[3].items).toEqual([
      {
        kind: "text",
        text: expect.stringMatching(
          /^MNIST was left out: only the full version has it, and it needs the folder .*yann\.lecun\.com/,
        ),
      },
    ]);
  }, 30_000);
});
