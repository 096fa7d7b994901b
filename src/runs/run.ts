/**
 * A run directory: `config.json` (everything resolved), `flow.json` and `model.safetensors` (the model),
 * `metrics.jsonl`, `checkpoint/` (the newest complete one), `summary.json`, `figures/`, and `manifest.json` with the
 * checksums of all that does not change any more. What is read is compared with the manifest first.
 */
import { appendFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Engine } from "../engine/engine.js";
import { check, FlowError, quoted } from "../errors.js";
import { makeFolder, reason, writeFileAtomically } from "../files.js";
import { type FlowDeclaration, parseDeclaration } from "../flows/declaration.js";
import { firstDifference } from "../flows/difference.js";
import type { Flow } from "../flows/flow.js";
import { firstIssue, parseJson } from "../flows/json.js";
import { readIfThere, readListed, readListing, unlist, writeListed } from "../flows/listed-files.js";
import { checkListed, type Listing, MANIFEST_FILE } from "../flows/manifest.js";
import { DECLARATION_FILE, type EncodedFlow, WEIGHTS_FILE } from "../flows/model-encoding.js";
import { loadFlow } from "../flows/model-files.js";
import { sha256 } from "../flows/sha256.js";
import { option } from "../options.js";
import { threads } from "../ranks/options.js";
import { type TrainingOptions, trainingSchema } from "../training/options.js";
import { type Metrics, metricsLine, parseMetrics } from "./metrics.js";
import { LOCK_REMAINS, lock, unlock } from "./run-lock.js";

/** Rises whenever earlier versions can no longer read run directories. Of format 1 there is no manifest. */
export const RUN_FORMAT = 2;
const WITHOUT_MANIFEST = 1;

const CONFIG = "config.json";
const SUMMARY = "summary.json";
const METRICS = "metrics.jsonl";
/** What a manifest lists. */
const LISTED = [CONFIG, DECLARATION_FILE, WEIGHTS_FILE, SUMMARY] as const;

/** A file that a process was writing when it was killed. */
const PARTIAL = /\.\d+\.partial$/;

const count = z.number().int().positive();
const { steps } = trainingSchema.shape;
/** How a run is carried out. */
export const runOptions = {
  threads,
  checkpointEvery: option(count, "steps between checkpoints"),
};

const config = z.strictObject({
  format: z.union([z.literal(RUN_FORMAT), z.literal(WITHOUT_MANIFEST)]),
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
      /** Of images in files; runs of earlier versions have none. */
      fingerprint: z.strictObject({ trainCount: count, testCount: count, sha256: z.string() }).optional(),
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
  training: trainingSchema,
  ...runOptions,
  flow: z.unknown(),
});

/** The part of `summary.json` that is read again. */
const summary = z.object({
  steps,
  testLoss: z.number().nullable(),
  standardError: z.number().nullable(),
  unit: z.string().optional(),
  entropy: z.number().nullable(),
  msPerStep: z.number().nullable(),
  seconds: z.number(),
});
export type Summary = z.infer<typeof summary>;

type Parsed = z.infer<typeof config>;
/** `config.json` of a run directory: everything about a training run, resolved. */
export type RunConfig = Omit<Parsed, "flow" | "training"> & {
  flow: FlowDeclaration;
  training: TrainingOptions;
};
export type DataConfig = RunConfig["data"];

export type { Metrics };

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
    } catch (cause) {
      throw new FlowError("output", `cannot make the run directory ${path}: ${reason(cause)}`, { cause });
    }
    let empty = false;
    try {
      lock(path);
      const remains = (name: string) =>
        PARTIAL.test(name) || LOCK_REMAINS.test(name) || name === MANIFEST_FILE;
      check(
        readdirSync(path).every(remains),
        "usage",
        `${path} is not empty; choose another folder, or go on with its training`,
        { option: "out" },
        { option: "resume", value: path },
      );
      empty = true;
      rmSync(join(path, MANIFEST_FILE), { force: true });
      const run = new Run(path, config);
      run.writeConfig();
      unlock(path);
      return run;
    } catch (error) {
      // The manifest is written first: without a configuration it is of nothing.
      if (empty) rmSync(join(path, MANIFEST_FILE), { force: true });
      unlock(path);
      unmake();
      throw error;
    }
  }

  /** Opens the run in a folder; throws a `run` error that says what is missing or wrong there. */
  static open(path: string): Run {
    const folder = statOf(path)?.isDirectory();
    check(folder === true, "run", `there is no run directory ${path}`);
    const file = join(path, CONFIG);
    const bytes = readIfThere(file);
    check(
      bytes !== null,
      "run",
      `${path} is not a run directory, or its first writing was cut short: it has no config.json`,
    );
    return new Run(path, parseConfig(bytes, readListing(path), file));
  }

  /** The name of what this run computes: of its flow, data and training, but for the number of steps. */
  get identity(): string {
    return identityOf(this.config);
  }

  /** Whether an earlier version has started it, which wrote no checksums. */
  get withoutChecksums(): boolean {
    return this.config.format === WITHOUT_MANIFEST;
  }

  /** A sentence for those who read files of the run that nothing guards; null where there are none. */
  remark(): string | null {
    if (!this.withoutChecksums) return null;
    const listing = readListing(this.path);
    const unguarded = LISTED.filter((name) => !listing?.has(name) && statOf(this.file(name)));
    if (unguarded.length === 0) return null;
    return `${this.path} was written by an earlier version without checksums: changes of ${unguarded.join(", ")} since then cannot be noticed`;
  }

  file(...names: string[]): string {
    return join(this.path, ...names);
  }

  /** Makes this process the only one that trains here; throws a `run` error if another one does. */
  lock(): void {
    lock(this.path);
  }

  unlock(): void {
    unlock(this.path);
  }

  writeConfig(): void {
    writeListed(this.path, { [CONFIG]: `${JSON.stringify(this.config, null, 2)}\n` });
  }

  /**
   * What training said of the model that it wrote, or null where it has not ended: `summary.json` comes last. Throws a
   * `run` error for a summary that is damaged or another run's.
   */
  summary(): Summary | null {
    const bytes = this.#read(SUMMARY);
    if (bytes === null) return null;
    const file = this.file(SUMMARY);
    const read = summary.safeParse(parseJson(bytes, file));
    if (!read.success) throw new FlowError("run", `${file} is damaged ${firstIssue(read.error)}`);
    return read.data;
  }

  /** Writes the model of the last step; what the summary says of an earlier one goes first. */
  writeModel(encoded: EncodedFlow): void {
    writeListed(this.path, {
      [SUMMARY]: null,
      [WEIGHTS_FILE]: encoded.weights,
      [DECLARATION_FILE]: encoded.declaration,
    });
  }

  /** Writes what training says of its model, and lists the metrics, which are complete. */
  writeSummary(content: Summary): void {
    const lines = this.#read(METRICS);
    writeListed(this.path, {
      ...(lines ? { [METRICS]: lines } : {}),
      [SUMMARY]: `${JSON.stringify(content, null, 2)}\n`,
    });
  }

  /**
   * The model that training has written. Throws a `run` error if there is none yet, if a file is not what the manifest
   * lists, or the flow is not that of the configuration; an `input` error if a file is damaged.
   */
  async loadModel(options: { engine?: Engine; capacity?: number } = {}): Promise<Flow> {
    const listing = this.#listing();
    const bytes = LISTED.map((name) => readListed(this.path, listing, name));
    readListed(this.path, listing, METRICS);
    const model = bytes[LISTED.indexOf(WEIGHTS_FILE)];
    check(
      model !== null,
      "run",
      `${this.path} has no model yet: its training has not ended; go on with that`,
      { option: "resume", value: this.path },
    );
    for (const [i, name] of LISTED.entries()) {
      check(
        bytes[i] === null || listing === null || this.withoutChecksums || listing.has(name),
        "run",
        `${this.file(name)} is not in the manifest of its folder: it is of another run`,
      );
    }
    const flow = await loadFlow(this.path, options);
    const difference = firstDifference(flow.declaration, this.config.flow);
    check(
      difference === null,
      "run",
      `${this.file(DECLARATION_FILE)} declares another flow than ${CONFIG} (${difference?.place} is ${difference?.a}, not ${difference?.b}): one of them is of another run`,
    );
    return flow;
  }

  /** The result of a finished training. Throws a `run` error if there is none, a `numerical` one if its test failed. */
  requireTest(): Summary & { testLoss: number } {
    const found = this.summary();
    check(found !== null, "run", `${this.path} has no summary.json that can be read`);
    const { testLoss } = found;
    check(
      testLoss !== null,
      "numerical",
      `the test of ${this.path} has no number as its result; its summary.json says how many samples failed`,
    );
    return { ...found, testLoss };
  }

  /** Removes what a process that was killed while it wrote has left. */
  removeLeftovers(): void {
    for (const name of readdirSync(this.path)) {
      if (PARTIAL.test(name)) rmSync(this.file(name), { force: true });
    }
  }

  /** All lines of metrics; throws a `run` error that names the first line that is damaged. */
  metrics(): Metrics[] {
    const bytes = this.#read(METRICS);
    return bytes === null ? [] : parseMetrics(bytes, this.file(METRICS));
  }

  appendMetrics(metrics: Metrics): void {
    try {
      appendFileSync(this.file(METRICS), metricsLine(metrics));
    } catch (cause) {
      throw new FlowError("output", `cannot write ${this.file(METRICS)}: ${reason(cause)}`, { cause });
    }
  }

  /** Forgets the metrics after a step, those of steps that will be done again; more may follow then. */
  truncateMetrics(step: number): void {
    const kept = this.metrics().filter((line) => line.step <= step);
    unlist(this.path, METRICS);
    writeFileAtomically(this.file(METRICS), kept.map(metricsLine).join(""));
  }

  #listing(): Listing | null {
    const listing = readListing(this.path);
    check(
      listing !== null || this.withoutChecksums,
      "run",
      `${this.path} lacks its ${MANIFEST_FILE}: nothing says whether its files are as they were written`,
    );
    return listing;
  }

  #read(name: string): Uint8Array | null {
    return readListed(this.path, this.#listing(), name);
  }
}

/**
 * The configuration that the bytes of a `config.json` hold; `listing` is that of its folder. Throws an `input` or `run`
 * error that names the file.
 */
export function parseConfig(bytes: Uint8Array, listing: Listing | null, file: string): RunConfig {
  const raw = parseJson(bytes, file);
  const format = (raw as { format?: unknown } | null)?.format;
  check(
    format === RUN_FORMAT || format === WITHOUT_MANIFEST,
    "run",
    `${file} was written by another version (format ${quoted(format)}; this one reads format ${RUN_FORMAT} and before)`,
  );
  check(
    listing !== null || format === WITHOUT_MANIFEST,
    "run",
    `${file} has no ${MANIFEST_FILE} beside it: nothing says whether it is as it was written`,
  );
  if (listing) checkListed(listing, CONFIG, bytes, file);
  const parsed = config.safeParse(raw);
  if (!parsed.success) throw new FlowError("run", `${file} is damaged ${firstIssue(parsed.error)}`);
  // As it was written: what is left out there is left out of the run's identity.
  const { training } = raw as RunConfig;
  return { ...parsed.data, training, flow: parseDeclaration(parsed.data.flow, file) };
}

/** The hash of all that a run's numbers depend on but for the number of steps and of threads. */
export function identityOf({ preset, data, training: { steps: _, ...training }, flow }: RunConfig): string {
  return sha256(new TextEncoder().encode(canonical({ preset, data, training, flow })));
}

/** JSON with its keys in order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

function statOf(path: string) {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (cause) {
    throw new FlowError("run", `cannot read ${path}: ${reason(cause)}`, { cause });
  }
}
