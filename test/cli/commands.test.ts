import { accessSync, constants, cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { decode } from "fast-png";
import { beforeAll, describe, expect, it } from "vitest";
import { readNpy } from "../../src/data/npy.js";
import { readFile } from "../../src/files.js";
import { Flow } from "../../src/flows/flow.js";
import { loadFlow, saveFlow } from "../../src/flows/model-files.js";
import { byEstimates } from "../support/networks.js";
import { reseal } from "../support/run-directory.js";
import { call, expectComplaint, filesUnder, json, run, snapshot, temporary } from "./cli.js";

const folder = temporary();
// biome-ignore lint/suspicious/noExplicitAny: the fields are what is tested
let trained: any;

beforeAll(async () => {
  trained = await json(folder, "train", "--data", "8gaussians", "--steps", "30", "--out", "gaussians");
}, 60_000);

describe("train", () => {
  it("reports the contract's fields", () => {
    expect(trained).toMatchObject({ run: "gaussians", data: "8gaussians", steps: 30, unit: "nats" });
    expect(trained.testLoss).toBeGreaterThan(trained.entropy);
    expect(trained.gap).toBeCloseTo(trained.testLoss - trained.entropy, 12);
    for (const field of ["standardError", "msPerStep", "seconds"]) {
      expect(trained[field]).toBeGreaterThan(0);
    }
  });

  it("leaves exactly the files of a run", () => {
    expect(filesUnder(join(folder, "gaussians"))).toEqual([
      "checkpoint/step-00000030.safetensors",
      "config.json",
      "figures/density.png",
      "figures/density.svg",
      "figures/loss.png",
      "figures/loss.svg",
      "flow.json",
      "manifest.json",
      "metrics.jsonl",
      "model.safetensors",
      "summary.json",
    ]);
    const summary = JSON.parse(readFileSync(join(folder, "gaussians", "summary.json"), "utf8"));
    expect(summary).toEqual(trained);
    const lines = readFileSync(join(folder, "gaussians", "metrics.jsonl"), "utf8")
      .trim()
      .split("\n");
    const losses = lines.map((line) => JSON.parse(line));
    expect(losses.map(({ step }) => step)).toEqual([10, 20, 30]);
    expect(losses[2].loss).toBeLessThan(losses[0].loss);
    const config = JSON.parse(readFileSync(join(folder, "gaussians", "config.json"), "utf8"));
    expect(config.training).toMatchObject({ steps: 30, batch: 500, seed: 0 });
  });

  it("leaves a run that is there alone", async () => {
    const before = snapshot(folder);
    expectComplaint(
      await run(folder, "train", "--steps", "2", "--out", "gaussians"),
      /gaussians is not empty.*--resume gaussians/,
    );
    expect(snapshot(folder)).toEqual(before);
  });
});

it("evaluate agrees with train", async () => {
  const result = await json(folder, "evaluate", "gaussians");
  for (const field of ["data", "steps", "standardError", "unit", "entropy", "msPerStep"]) {
    expect(result[field]).toEqual(trained[field]);
  }
  expect(result.testLoss).toBeCloseTo(trained.testLoss, 6);
  expect(result.gap).toBeCloseTo(trained.gap, 6);
  expect(result.seconds).toBeGreaterThan(0);
});

it("evaluate takes other data", async () => {
  const result = await json(folder, "evaluate", "gaussians", "--data", "moons");
  expect(result.data).toBe("moons");
  expect(result.gap).toBeCloseTo(result.testLoss - result.entropy, 12);
});

it("sample is decided by its seed, in every format, and score reads what sample writes", async () => {
  const sample = (out: string, ...more: string[]) =>
    json(folder, "sample", "gaussians", "-n", "40", "--out", out, ...more);
  const [first] = await Promise.all([sample("a.csv", "--seed", "3"), sample("b.npy", "--seed", "3")]);
  await Promise.all([sample("c.csv"), sample("new/folder/d.png", "--seed", "3")]);
  expect(first).toEqual({
    run: "gaussians",
    n: 40,
    out: "a.csv",
    unconverged: 0,
    notFinite: 0,
    certified: true,
  });

  const text = (name: string) => readFileSync(join(folder, name), "utf8");
  const rows = text("a.csv").trim().split("\n");
  expect(rows[0]).toBe("x1,x2");
  const numbers = rows.slice(1).map((row) => row.split(",").map(Number));
  const npy = readNpy(readFile(join(folder, "b.npy")), "b.npy");
  expect(npy.toArray()).toEqual(numbers);
  expect(numbers).toHaveLength(40);
  expect(text("c.csv")).not.toBe(text("a.csv"));
  const png = decode(readFileSync(join(folder, "new", "folder", "d.png")));
  expect(Math.min(png.width, png.height)).toBeGreaterThan(300);

  const [plain, csv, array] = await Promise.all([
    run(folder, "sample", "gaussians", "-n", "40", "--seed", "3"),
    json(folder, "score", "gaussians", "--data", "a.csv", "--out", "scores.csv"),
    json(folder, "score", "gaussians", "--data", "b.npy", "--out", "scores.npy"),
  ]);
  expect(plain.stdout).toBe(text("a.csv"));
  expect(csv).toMatchObject({ run: "gaussians", rows: 40, out: "scores.csv" });
  const [header, ...lines] = text("scores.csv").trim().split("\n");
  expect(header).toBe("log_prob");
  const scores = lines.map(Number);
  expect(csv.mean).toBeCloseTo(scores.reduce((a, b) => a + b) / 40, 10);
  expect(array.mean).toBe(csv.mean);
  expect([...readNpy(readFile(join(folder, "scores.npy")), "scores.npy").values]).toEqual(scores);

  const printed = await run(folder, "score", "gaussians", "--data", "a.csv");
  expect(printed.stdout.trim().split("\n").map(Number)).toEqual(scores);
  const evaluated = await json(folder, "evaluate", "gaussians", "--data", "a.csv");
  expect(evaluated.testLoss).toBeCloseTo(-csv.mean, 10);
  expect(evaluated).toMatchObject({ entropy: null, gap: null, rows: 40 });
  expect(evaluated).toMatchObject({ unconverged: 0, notFinite: 0, outside: 0 });
}, 60_000);

describe("verify", () => {
  it.concurrent("certifies a trained model", async () => {
    const result = await json(folder, "verify", "gaussians");
    expect(result).toMatchObject({ run: "gaussians", ok: true });
    expect(result.blocks).toHaveLength(10);
    for (const { kind, lipschitzBound } of result.blocks) {
      expect(kind).toBe("monotone");
      expect(lipschitzBound).toBeGreaterThan(0);
      expect(lipschitzBound).toBeLessThan(1);
    }
    expect(result.roundTrip).toBeLessThan(1e-4);
    expect(result.logDetError).toBeLessThan(1e-3);
  });

  it("tells of blocks that are no contractions, and no command computes with them unasked", async () => {
    const path = join(folder, "tampered");
    cpSync(join(folder, "gaussians"), path, { recursive: true });
    const trained = await loadFlow(path);
    const steep = await Flow.create(byEstimates(trained.declaration));
    steep.parameters.load(new Map(trained.parameters.list.map((p) => [p.name, p.values])), "gaussians");
    // One weight too large, with vectors that do not tell.
    for (const { name, values } of steep.parameters.list) {
      if (name === "bijections.0.weight.3") values.set(values.map((value) => 1000 * value));
      if (name === "bijections.0.left.3") values.fill(0);
    }
    saveFlow(steep, path);
    const config = JSON.parse(readFileSync(join(path, "config.json"), "utf8"));
    writeFileSync(join(path, "config.json"), JSON.stringify({ ...config, flow: steep.declaration }));
    reseal(path);
    writeFileSync(join(folder, "rows.csv"), "x1,x2\n0.5,0.5\n-3,1\n-1,-2\n3e38,0\n");

    const commands = [
      ["evaluate", "tampered", "--samples", "500"],
      ["sample", "tampered", "--out", "tampered.csv"],
      ["score", "tampered", "--data", "rows.csv"],
    ];
    const [verified, refused, unmeasured, asked] = await Promise.all([
      run(folder, "verify", "tampered", "--json"),
      run(folder, ...commands[2], "--json"),
      run(folder, "bench", "solvers", "--model", "tampered", "--json"),
      Promise.all(commands.map((args) => run(folder, ...args, "--json", "--uncertified"))),
    ]);
    expect(verified.code, verified.stderr).toBe(1);
    const certificate = JSON.parse(verified.stdout);
    expect(certificate.ok).toBe(false);
    expect(certificate.blocks[0].lipschitzBound).toBeGreaterThan(1);
    expect(verified.stderr).toMatch(
      /^monotone-flows: tampered is not certified: block 1 \(monotone\) .* Lipschitz constant is \d+\.\d+, not below 1[^\n]*\n$/,
    );
    for (const each of [refused, unmeasured])
      expectComplaint(each, /tampered: nothing proves that block 1 is invertible.*--uncertified/);

    const [evaluated, sampled, scored] = asked;
    for (const { stdout, stderr } of asked) {
      expect(JSON.parse(stdout)).toMatchObject({ run: "tampered", certified: false });
      expect(stderr).toMatch(/^tampered is not certified: .*block 1 /);
    }
    // Whatever has failed is counted, has no number, and ends with exit code 1.
    const score = JSON.parse(scored.stdout);
    expect(scored.stderr).toMatch(
      /\nmonotone-flows: \d of 4 rows failed: .*; monotone-flows verify tampered tells [^\n]*\n$/,
    );
    expect([scored.code, score.mean, score.outside]).toEqual([1, null, 1]);
    expect(score.failedRows.length).toBe(score.unconverged + score.notFinite);
    score.scores.forEach((value: number | null, i: number) => {
      // The last row is outside of what float32 holds.
      expect(value === null, `row ${i}`).toBe(i === 3 || score.failedRows.includes(i));
    });
    const test = JSON.parse(evaluated.stdout);
    const lost = test.unconverged + test.notFinite > 0;
    expect([evaluated.code, test.testLoss === null]).toEqual(lost ? [1, true] : [0, false]);
    const drawn = JSON.parse(sampled.stdout);
    const rows = readFileSync(join(folder, "tampered.csv"), "utf8").trim().split("\n").slice(1);
    expect(rows.filter((row) => row.includes("NaN"))).toHaveLength(drawn.unconverged + drawn.notFinite);
    expect(sampled.code).toBe(drawn.unconverged + drawn.notFinite > 0 ? 1 : 0);
  }, 60_000);
});

describe("help", () => {
  it.each(["train", "evaluate", "sample", "score", "verify", "bench"])("%s shows examples", async (name) => {
    const { code, stdout, stderr } = await call(folder, name, "--help");
    expect(stdout).toMatch(
      new RegExp(`^Usage: monotone-flows ${name} [\\s\\S]*\nExamples:\n  \\$ monotone-flows ${name}`),
    );
    expect(stderr).toBe("");
    expect(code).toBe(0);
  });

  it("of the program names every command", async () => {
    const [help, none] = await Promise.all([run(folder, "--help"), run(folder)]);
    for (const name of ["train", "evaluate", "sample", "score", "verify", "bench"]) {
      expect(help.stdout).toMatch(new RegExp(`^  ${name}\\b`, "m"));
    }
    expect(help.code).toBe(0);
    expect(none).toEqual({ code: 2, stdout: "", stderr: help.stdout });
  });
});

it("can be run by its name, also after a rebuild", () => {
  const main = fileURLToPath(new URL("../../dist/src/cli/main.js", import.meta.url));
  expect(() => accessSync(main, constants.X_OK)).not.toThrow();
});
