import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { expectClose } from "../../test/support/close.js";
import { toySource } from "../data/source.js";
import type { Flow } from "../flows/flow.js";
import { loadFlow } from "../flows/model-files.js";
import { monotoneFlow } from "../flows/monotone-flow.js";
import { alone } from "../ranks/communicator.js";
import { densities, summarise } from "../training/evaluate.js";
import { createTrainer } from "../training/job.js";
import { Turns } from "../turn.js";
import { loadCheckpoint } from "./checkpoint.js";
import { RUN_FORMAT, Run, type RunConfig } from "./run.js";
import { type RunResult, testSamples, trainRun } from "./train-run.js";

const folder = mkdtempSync(join(tmpdir(), "monotone-flows-train-run-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const DATA = { kind: "toy", name: "rings" } as const;
/** Steps so long that one round of power iteration a step lags behind. */
const training = { steps: 20, batch: 40, seed: 2, learningRate: 0.1, l2: 1e-4, averaging: 0.7 };
const config: RunConfig = {
  format: RUN_FORMAT,
  version: "0.0.0",
  preset: "test",
  data: DATA,
  training,
  threads: 1,
  checkpointEvery: 100,
  flow: monotoneFlow({ dim: 2, blocks: 2, growth: 4, actnorm: true, powerIterations: 1 }),
};

/** A trainer of the same job, after so many steps. */
async function trained(steps: number) {
  const trainer = await createTrainer(
    { data: DATA, declaration: config.flow, options: training, state: null },
    alone,
  );
  const results = [];
  while (trainer.step < steps) results.push(await trainer.advance());
  return { trainer, results };
}

describe("a run", () => {
  let run: Run;
  let result: RunResult;
  let model: Flow;
  const tested: { step: number; values: Float64Array }[] = [];

  beforeAll(async () => {
    run = Run.create(join(folder, "run"), config);
    result = await trainRun(
      { run, data: DATA, state: null },
      {
        goOn: "nobody",
        onTest: async (flow, step) => void tested.push({ step, values: flow.parameters.values.slice() }),
      },
    );
    model = await loadFlow(run.path);
  });

  it("leaves a model that knows its steps, whatever the configuration comes to say", async () => {
    const path = join(folder, "killed");
    const killed = Run.create(path, { ...config, training: { ...training, steps: 3 } });
    await expect(
      trainRun(
        { run: killed, data: DATA, state: null },
        {
          goOn: "nobody",
          onTrained: async () => {
            throw new Error("killed before the summary");
          },
        },
      ),
    ).rejects.toThrow("killed");
    killed.config.training = { ...killed.config.training, steps: 9 };
    killed.writeConfig();
    const again = Run.open(path);
    expect(again.config.training.steps).toBe(9);
    expect(again.summary()).toBeNull();
    expect((await again.loadModel()).steps).toBe(3);
  });

  it("leaves a model of averaged weights", () => {
    const { average, step } = loadCheckpoint(run.file("checkpoint"), run)!;
    expect(step).toBe(20);
    expectClose(model.parameters.values, average!, 1e-7, "weights of the model");
  });

  it("leaves a model whose power iterations have come to their end", async () => {
    const states = (flow: Flow) => flow.parameters.list.filter((p) => /left|right/.test(p.name));
    const left = states(model).map(({ values }) => values.slice());
    await model.convergeNorms();
    for (const [i, { name, values }] of states(model).entries()) expectClose(values, left[i], 1e-6, name);
  });

  it("says how well that model fits samples that training does not see", async () => {
    const { summary, test } = result;
    const losses = summarise(await densities(model, toySource("rings"), training.seed, testSamples));
    expect(test.rows).toBe(10_000);
    expect(summary.testLoss).toBeCloseTo(losses.loss, 5);
    expect(summary.standardError).toBeCloseTo(losses.standardError, 5);
    expect(summary.gap).toBeCloseTo(losses.loss - toySource("rings").entropy!, 5);
    expect(summary).toMatchObject({ steps: 20, unit: "nats", data: "rings", unconverged: 0 });
  });

  it("writes a line every 10 steps, the mean of their losses, and tests averaged weights on the way", async () => {
    const { results } = await trained(20);
    const { trainer: half } = await trained(10);
    const lines = run.metrics();
    expect(lines.map(({ step }) => step)).toEqual([10, 20]);
    for (const [i, line] of lines.entries()) {
      const part = results.slice(10 * i, 10 * i + 10);
      const mean = (of: (r: (typeof part)[number]) => number) => part.reduce((sum, r) => sum + of(r), 0) / 10;
      expect(line.loss).toBeCloseTo(
        mean(({ loss }) => loss),
        12,
      );
      expect(line.evaluations).toBeCloseTo(
        mean(({ evaluations }) => evaluations),
        12,
      );
    }
    expect(tested.map(({ step }) => step)).toEqual([10]);
    expect(tested[0].values).toEqual(half.state().average);
    const loss = await half.withAverage(async () =>
      summarise(await densities(half.flow, toySource("rings"), training.seed, 2000)),
    );
    expect(lines[0].testLoss).toBeCloseTo(loss.loss, 5);
    expect(lines[1].testLoss).toBeUndefined();
  });
});

describe("a signal", () => {
  afterEach(() => vi.restoreAllMocks());

  /** A run of its own that is sent a signal when it first has a turn after `after` says so. */
  async function interrupted(name: string, signal: NodeJS.Signals, after: (step: number) => boolean) {
    const run = Run.create(join(folder, name), config);
    let armed = false;
    vi.spyOn(Turns.prototype, "give").mockImplementation(async () => {
      if (armed) process.emit(signal);
      armed = false;
    });
    const said: string[] = [];
    const tests: number[] = [];
    const onTest = async (_: Flow, step: number) => void tests.push(step);
    const ended = trainRun(
      { run, data: DATA, state: null },
      {
        goOn: "going on",
        onInterrupt: (sentence) => said.push(sentence),
        onStep: (step) => {
          armed = after(step);
        },
        onTest,
      },
    );
    await expect(ended).rejects.toMatchObject({
      code: "internal",
      message: expect.stringMatching(/^stopped at/),
    });
    expect(said).toEqual([
      expect.stringMatching(/^stopping with a checkpoint, .* a second Ctrl-C ends at once/),
    ]);
    vi.restoreAllMocks();
    return {
      run,
      tests,
      resume: () =>
        trainRun(
          { run, data: DATA, state: loadCheckpoint(run.file("checkpoint"), run) },
          { goOn: "", onTest },
        ),
    };
  }

  const lines = (run: Run) => run.metrics().map((line) => ({ ...line, seconds: 0 }));

  it.each([
    ["in the test on the way", "SIGINT", 10],
    ["in the test at the end", "SIGTERM", 20],
  ] as const)("%s ends it, and it is made again, with the same numbers", async (place, signal, at) => {
    const whole = Run.create(join(folder, `${place}, whole`), config);
    const expected = await trainRun({ run: whole, data: DATA, state: null }, { goOn: "" });
    const { run, tests, resume } = await interrupted(place, signal, (step) => step === at);
    expect(loadCheckpoint(run.file("checkpoint"), run)?.step, "the checkpoint's step").toBe(at);
    expect(run.summary()).toBeNull();
    // The line is written with its test.
    expect(lines(run)).toEqual(lines(whole).slice(0, at === 10 ? 0 : 2));
    expect(tests).toEqual(at === 10 ? [] : [10]);
    const { summary } = await resume();
    expect(tests).toEqual([10]);
    expect(lines(run)).toEqual(lines(whole));
    expect(summary.testLoss).toBe(expected.summary.testLoss);
    expect(
      readFileSync(run.file("model.safetensors")).equals(readFileSync(whole.file("model.safetensors"))),
    ).toBe(true);
  });
});

describe("a longer run", () => {
  const small = monotoneFlow({ dim: 2, blocks: 1, growth: 2, depth: 1 });
  const job = (name: string, change: Partial<RunConfig["training"]>, checkpointEvery: number) => {
    const { averaging: _, ...rest } = training;
    const run = Run.create(join(folder, name), {
      ...config,
      flow: small,
      checkpointEvery,
      training: { ...rest, batch: 4, learningRate: 1e-3, ...change },
    });
    return { run, data: DATA, state: null };
  };
  const saved = ({ run }: { run: Run }) => loadCheckpoint(run.file("checkpoint"), run)?.step ?? null;

  it("tests about 20 times, and keeps checkpoints of steps that the next one has proved", async () => {
    const long = job("long", { steps: 210 }, 50);
    const tests: number[] = [];
    const checkpoints: [number, number | null][] = [];
    const { summary, failures } = await trainRun(long, {
      goOn: "",
      onTest: async (_, step) => void tests.push(step),
      onStep: (step) => {
        const found = saved(long);
        if (found !== (checkpoints.at(-1)?.[1] ?? null)) checkpoints.push([step, found]);
      },
    });
    const lines = long.run.metrics();
    expect(lines.map(({ step }) => step)).toEqual(Array.from({ length: 21 }, (_, i) => 10 * (i + 1)));
    // Ten tests: every ten steps would be more than 20.
    expect(tests).toEqual([20, 40, 60, 80, 100, 120, 140, 160, 180, 200]);
    expect(lines.filter(({ testLoss }) => testLoss !== undefined).map(({ step }) => step)).toEqual(tests);
    expect(checkpoints).toEqual([
      [51, 50],
      [101, 100],
      [151, 150],
      [201, 200],
    ]);
    expect(saved(long)).toBe(210);
    expect(failures.count).toBe(0);
    expect(summary).toMatchObject({
      ...{ testRows: 10_000, testUnconverged: 0, testNotFinite: 0, testOutside: 0 },
      entropy: toySource("rings").entropy,
      run: long.run.path,
    });
    expect(summary.seconds).toBeGreaterThanOrEqual(lines.at(-1)!.seconds);
    expect(summary.msPerStep).toBeGreaterThan(0);
    expect(summary.msPerStep! * 105).toBeLessThan(1000 * summary.seconds);
    expect(summary.peakMemoryMB).toBeGreaterThan(20);
    expect(summary.peakMemoryMB).toBeLessThan(100_000);
  });

  it("says what is left where its loss is no longer finite", async () => {
    const schedule = [{ from: 3, factor: 1e300 }];
    const none = job("fails", { steps: 9, schedule }, 100);
    await expect(trainRun(none, { goOn: "" })).rejects.toMatchObject({
      code: "numerical",
      message: expect.stringMatching(/at step 5, in .*; there is no checkpoint yet$/),
    });
    const some = job("fails late", { steps: 9, schedule }, 1);
    const good = /at step 5, in .*; the last good checkpoint is that of step 3, in .*checkpoint$/;
    await expect(trainRun(some, { goOn: "" })).rejects.toThrow(good);
    expect(saved(some)).toBe(3);
    const state = loadCheckpoint(some.run.file("checkpoint"), some.run);
    await expect(trainRun({ ...some, state }, { goOn: "" })).rejects.toThrow(good);
    // Nobody trains there any more.
    some.run.lock();
    some.run.unlock();
  });
});
