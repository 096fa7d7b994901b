/**
 * A run directory: `config.json` (everything resolved), `flow.json` and `model.safetensors` (the model),
 * `metrics.jsonl`, `checkpoint/` (the newest complete one), `summary.json`, `figures/`.
 */
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { check, FlowError, quoted } from "../errors.js";
import { parseDeclaration } from "../flows/declaration.js";
import { makeFolder, readFile, reason, writeFileAtomically } from "../flows/files.js";
import { firstIssue, parseJson } from "../flows/json.js";

/** Rises whenever older run directories can no longer be read. */
export const RUN_FORMAT = 1;

/** A file that a process was writing when it was killed. */
const PARTIAL = /\.\d+\.partial$/;

const count = z.number().int().positive();

const config = z.strictObject({
  format: z.literal(RUN_FORMAT),
  version: z.string(),
  preset: z.string(),
  /** Of a model that was trained elsewhere: by whose code, its checkpoint, and the options of that training. */
  origin: z
    .strictObject({
      study: z.string(),
      file: z.string(),
      sha256: z.string(),
      averaged: z.boolean(),
      options: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
    })
    .optional(),
  data: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("toy"), name: z.string() }),
    z.strictObject({ kind: z.literal("staircase") }),
    z.strictObject({
      kind: z.literal("images"),
      /** What --data named, a path made absolute, and the folder of a named set's files. */
      data: z.string(),
      dataDir: z.string().optional(),
      /** Whether half of the training images are mirrored. */
      flips: z.boolean(),
    }),
    z.strictObject({
      kind: z.literal("table"),
      /** Absolute path of the file, the columns that were chosen from it, and the hash of its bytes. */
      path: z.string(),
      columns: z.array(z.string()),
      sha256: z.string(),
      /** The share of the rows that is held out for testing. */
      testFraction: z.number(),
    }),
  ]),
  training: z.strictObject({
    steps: count,
    batch: count,
    seed: z.number().int().nonnegative(),
    learningRate: z.number().positive(),
    schedule: z
      .array(z.strictObject({ from: z.number().int().nonnegative(), factor: z.number().positive() }))
      .optional(),
    warmUp: z.number().int().nonnegative().optional(),
    clip: z.number().positive().optional(),
    l2: z.number().nonnegative(),
    betas: z
      .tuple([z.number().nonnegative().lt(1), z.number().nonnegative().lt(1)])
      .readonly()
      .optional(),
    epsilon: z.number().positive().optional(),
    averaging: z.number().positive().lt(1).optional(),
    objective: z.enum(["likelihood", "regression"]).optional(),
  }),
  threads: count,
  checkpointEvery: count,
  flow: z.unknown(),
});

/** The part of `summary.json` that is read again. */
const summary = z.object({
  steps: count,
  testLoss: z.number(),
  standardError: z.number(),
  unit: z.string().optional(),
  entropy: z.number().nullable(),
  msPerStep: z.number().nullable(),
  seconds: z.number(),
});
export type Summary = z.infer<typeof summary>;

type Parsed = z.infer<typeof config>;
export type RunConfig = Omit<Parsed, "flow"> & { flow: ReturnType<typeof parseDeclaration> };
export type DataConfig = RunConfig["data"];

export interface Metrics {
  step: number;
  /** Mean training loss since the line before, in the unit of the run's score. */
  loss: number;
  /** Network evaluations a solve, mean over the blocks. */
  evaluations: number;
  /** Samples whose solver missed its tolerance, since the line before. */
  unconverged: number;
  /** Training time since the start of the run, in seconds. */
  seconds: number;
  /** Test loss at this step, where it was measured. */
  testLoss?: number;
}

export class Run {
  readonly path: string;
  readonly config: RunConfig;

  private constructor(path: string, config: RunConfig) {
    this.path = path;
    this.config = config;
  }

  /** Starts a run in a folder that does not exist yet or is empty, apart from what a killed start has left. */
  static create(path: string, config: RunConfig): Run {
    let unmake = () => {};
    try {
      unmake = makeFolder(path);
      check(
        readdirSync(path).every((name) => PARTIAL.test(name)),
        "usage",
        `${path} is not empty; choose another --out, or go on with --resume ${path}`,
      );
    } catch (cause) {
      if (cause instanceof FlowError) throw cause;
      throw new FlowError("output", `cannot make the run directory ${path}: ${reason(cause)}`, { cause });
    }
    const run = new Run(path, config);
    try {
      run.writeConfig();
    } catch (error) {
      unmake();
      throw error;
    }
    return run;
  }

  /** Opens the run in a folder; throws a `run` error that says what is missing or wrong there. */
  static open(path: string): Run {
    check(existsSync(path) && statSync(path).isDirectory(), "run", `there is no run directory ${path}`);
    const file = join(path, "config.json");
    check(
      existsSync(file),
      "run",
      `${path} is not a run directory, or its first writing was cut short: it has no config.json`,
    );
    const raw = parseJson(readFile(file, "run"), file);
    const format = (raw as { format?: unknown } | null)?.format;
    check(
      format === RUN_FORMAT,
      "run",
      `${path} was written by another version (format ${quoted(format)}; this one reads format ${RUN_FORMAT})`,
    );
    const parsed = config.safeParse(raw);
    if (!parsed.success) {
      throw new FlowError("run", `${file} is damaged ${firstIssue(parsed.error)}`);
    }
    return new Run(path, { ...parsed.data, flow: parseDeclaration(parsed.data.flow, file) });
  }

  file(...names: string[]): string {
    return join(this.path, ...names);
  }

  writeConfig(): void {
    writeFileAtomically(this.file("config.json"), `${JSON.stringify(this.config, null, 2)}\n`);
  }

  /** What training said of the model that it wrote, or null where it has not ended: `summary.json` comes last. */
  summary(): Summary | null {
    try {
      const read = summary.safeParse(JSON.parse(readFileSync(this.file("summary.json"), "utf8")));
      return read.success ? read.data : null;
    } catch {
      return null;
    }
  }

  /** Removes what a process that was killed while it wrote has left. */
  sweep(): void {
    for (const name of readdirSync(this.path)) {
      if (PARTIAL.test(name)) rmSync(this.file(name), { force: true });
    }
  }

  /** Throws unless the run has a model. */
  requireModel(): void {
    check(
      existsSync(this.file("model.safetensors")),
      "run",
      `${this.path} has no model yet: its training has not ended; go on with train --resume ${this.path}`,
    );
  }

  metrics(): Metrics[] {
    if (!existsSync(this.file("metrics.jsonl"))) return [];
    const lines = readFileSync(this.file("metrics.jsonl"), "utf8").split("\n");
    // The last line of a killed run may be cut short.
    return lines.flatMap((line) => {
      try {
        return line ? [JSON.parse(line) as Metrics] : [];
      } catch {
        return [];
      }
    });
  }

  appendMetrics(metrics: Metrics): void {
    try {
      appendFileSync(this.file("metrics.jsonl"), `${JSON.stringify(metrics)}\n`);
    } catch (cause) {
      throw new FlowError("output", `cannot write ${this.file("metrics.jsonl")}: ${reason(cause)}`, {
        cause,
      });
    }
  }

  /** Forgets the metrics after a step: those of steps that will be done again. */
  truncateMetrics(step: number): void {
    const kept = this.metrics().filter((line) => line.step <= step);
    writeFileAtomically(this.file("metrics.jsonl"), kept.map((line) => `${JSON.stringify(line)}\n`).join(""));
  }
}
