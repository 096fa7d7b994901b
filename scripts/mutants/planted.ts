/**
 * Errors of the kind that hides best: something is switched off, out of date, or taken from another step, seed or row.
 * Training still runs, and its losses look right. Each was planted by hand once; tests of `npm test` have to fail with it.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Mutation } from "./mutations.ts";

interface Planted {
  readonly error: string;
  readonly file: string;
  /** A part of the file that is there once, and what stands there instead. */
  readonly code: string;
  readonly wrong: string;
}

const at = (
  file: string,
  errors: readonly (readonly [error: string, code: string, wrong: string])[],
): Planted[] => errors.map(([error, code, wrong]) => ({ error, file, code, wrong }));

const PLANTED: readonly Planted[] = [
  ...at("src/logdet/roulette.ts", [["roulette weights of 1", "1 / survival(roulette, k)", "1"]]),
  ...at("src/logdet/probes.ts", [
    [
      "evaluation with training's number of exact terms",
      "const roulette: Roulette = training",
      "const roulette: Roulette = training || block >= 0",
    ],
    ["the same probe for all samples", "first + s)", "first)"],
    ["the same probes at every step", "return step * this.#blocks + block", "return block"],
    ["the same probes in every block", "return step * this.#blocks + block", "return step"],
  ]),
  ...at("src/bijections/stochastic-regime.ts", [
    ["the series one term short", "k <= count", "k < count"],
    ["the weight of the term before", "share * trace * weights[k]", "share * trace * weights[k - 1]"],
    ["the gradient's series without weights", "share * neumann * weights[k]", "share * neumann"],
  ]),
  ...at("src/training/evaluate.ts", [
    ["bits/dim with ln 10", "Math.LN2", "Math.LN10"],
    ["a standard error of single rows", "Math.sqrt(variance / rows)", "Math.sqrt(variance)"],
    ["a variance over all rows", "squares / (rows - 1)", "squares / rows"],
    [
      "evaluation of all rows but one",
      "Math.min(samples, source.testRows)",
      "Math.min(samples, source.testRows - 1)",
    ],
    ["the same noise for every part of the test rows", "{ ...options, first }", "options"],
  ]),
  ...at("src/training/options.ts", [
    ["Adam with beta2 0.9", ".default([0.9, 0.999])", ".default([0.9, 0.9])"],
  ]),
  ...at("src/training/adam.ts", [
    ["Adam's mean without bias correction", "rate / (1 - beta1 ** t)", "rate"],
    ["Adam's squares without bias correction", "1 / Math.sqrt(1 - beta2 ** t)", "1"],
    ["L2 ignored", "gradient[i] + l2 * values[i]", "gradient[i]"],
    ["every parameter learned from step 0", "step - learnFrom + 1", "step + 1"],
  ]),
  ...at("src/training/schedule.ts", [
    ["warm-up off", "step < warmUp ? (step + 1) / warmUp : 1", "1"],
    ["warm-up from 0", "(step + 1) / warmUp", "step / warmUp"],
    ["the schedule a step late", "step >= from", "step > from"],
  ]),
  ...at("src/training/clipping.ts", [["clipping off", "if (scale >= 1) return;", "return;"]]),
  ...at("src/training/averaged-weights.ts", [
    ["an average without growing decay", "Math.min(this.#decay, steps / (steps + 9))", "this.#decay"],
    ["the average not used", "this.#parameters.values.set(this.values);", ";"],
  ]),
  ...at("src/training/trainer.ts", [
    ["clipping not asked for", "clip !== undefined", "clip !== undefined && clip < 0"],
    ["warm-up not passed on", "schedule, warmUp)", "schedule)"],
    [
      "L2 not passed on",
      "new Adam(flow.parameters, options)",
      "new Adam(flow.parameters, { ...options, l2: 0 })",
    ],
    [
      "betas not passed on",
      "new Adam(flow.parameters, options)",
      "new Adam(flow.parameters, { l2: options.l2 })",
    ],
    ["the same batch at every step", "seed, this.step, first, end - first", "seed, 0, first, end - first"],
    ["the same batch for every seed", "fill(samples, seed, this.step", "fill(samples, 0, this.step"],
    [
      "the same noise and probes at every step",
      "{ seed, step: this.step, first: start",
      "{ seed, step: 0, first: start",
    ],
    ["the same noise and probes in every pass", "first: start, training: true", "first: 0, training: true"],
    [
      "a gradient averaged over a pass",
      "pass(samples, count, 1 / batch, key)",
      "pass(samples, count, 1 / count, key)",
    ],
    ["a loss averaged over a pass", "scalars[0] += sum / batch", "scalars[0] += sum / count"],
    ["gradients of the steps before", "gradient.fill(0);", ";"],
    [
      "weights as they were sent before the first step",
      "await flow.iterate();\n    flow.prepare();",
      "await flow.iterate();",
    ],
    ["no power iteration", "await flow.iterate();", ";"],
    ["the gradient of a step that threw in the next one", "await discardGradient(this.flow.gradients);", ";"],
    [
      "norms that have not converged after training",
      "await this.flow.convergeNorms(() => this.#average?.apply());",
      "this.#average?.apply();",
    ],
    [
      "the trained model without averaged weights",
      "convergeNorms(() => this.#average?.apply())",
      "convergeNorms()",
    ],
    ["tests on the way without averaged weights", "await put(() => average.apply());", ";"],
    ["the averaged weights kept after a test", "flow.parameters.values.set(current)", "undefined"],
    ["Adam's moments not restored", "own.set(moments);", ";"],
    ["averaged weights not restored", "this.#average?.restore(state.average);", ";"],
    ["actnorms started anew by a restored run", "!bijection.uninitialised || ", ""],
    [
      "actnorms started by the mean of squares",
      "Math.max(0, sums[channels + j] - m * m)",
      "Math.max(0, sums[channels + j])",
    ],
  ]),
  ...at("src/training/fit.ts", [
    ["a fitted flow that is not finished", "await trainer.finish();", ";"],
    ["the rows of a fit as they are later", "Table.copy(data)", "Table.from(data)"],
    ["two fits of one flow at once", "busy.add(flow);", ";"],
  ]),
  ...at("src/runs/train-run.ts", [
    ["a run's model that is not finished", "await trainer.finish();", ";"],
    [
      "the sums of a checkpoint's metrics dropped",
      "state?.sums.length ? state.sums : [0, 0, 0, 0]",
      "[0, 0, 0, 0]",
    ],
    [
      "sums that grow from line to line",
      "this.#loss = this.#evaluations = this.#unconverged = this.#count = 0;",
      ";",
    ],
    [
      "a test by few samples at the end",
      "score.measure(maps, testSamples, failures)",
      "score.measure(maps, 10, failures)",
    ],
  ]),
  ...at("src/runs/score.ts", [
    ["nats for bits", "source.image ? bitsPerDimension(1, source.dim) : 1", "1"],
    ["a standard error in nats beside bits", "perNat * test.standardError", "test.standardError"],
  ]),
  ...at("src/networks/parameters.ts", [
    ["the concatenation learned from step 0", "kappa.learnFrom = learnConcatenationFrom", "void 0"],
  ]),
  ...at("src/networks/effective-weights.ts", [
    [
      "gradients left behind for the next step",
      "this.#engine.fill(matrix(this.#gradients, 1, out.length), 0);",
      ";",
    ],
  ]),
  ...at("src/networks/normalisation.ts", [
    [
      "spectral norms without a gradient",
      "if (factor < 1) norm.addGradient",
      "if (factor < 0) norm.addGradient",
    ],
  ]),
  ...at("src/data/source.ts", [
    [
      "toys: the same batch at every step",
      "random.seek(step, start + i), out",
      "random.seek(0, start + i), out",
    ],
    [
      "toys: one sample for a whole batch",
      "random.seek(step, start + i), out",
      "random.seek(step, start), out",
    ],
    ["toys: tests on training samples", "Purpose.testing", "Purpose.training"],
    [
      "tables: the same batch at every step",
      "random.seek(step, start + i).integer",
      "random.seek(0, start + i).integer",
    ],
    [
      "tables: training rows for tests",
      "test.slice(0, Math.min(count, test.rows))",
      "train.slice(0, Math.min(count, test.rows))",
    ],
    ["tables: the last row never drawn", "integer(train.rows)", "integer(train.rows - 1)"],
  ]),
  ...at("src/data/staircase.ts", [
    [
      "the staircase: the same batch at every step",
      "random.seek(step, start + i)",
      "random.seek(0, start + i)",
    ],
    ["the staircase: tests on training samples", "Purpose.testing", "Purpose.training"],
  ]),
  ...at("src/data/split-rows.ts", [
    ["test rows among the training rows", "train: shuffled.slice(held)", "train: shuffled.slice(0)"],
  ]),
  ...at("src/data/images/noisy-images.ts", [
    ["the same images at every step", "choice.seek(step", "choice.seek(0"],
    ["the same noise at every step", "noise.seek(step", "noise.seek(0"],
    ["the same flips at every step", "turn.seek(step", "turn.seek(0"],
    ["the same noise for all test images", "noise.seek(0, first + i)", "noise.seek(0, 0)"],
    ["training images for tests", "put(test, first + i", "put(train, first + i"],
    ["every image mirrored", "uniform() < 0.5", "uniform() < 2"],
    ["no image mirrored", "if (flips && ", "if (false && "],
    ["noise around the pixels", "pixels[i] + noise.uniform()", "pixels[i] + noise.uniform() - 0.5"],
    [
      "one number of noise for an image",
      "pixels[i] + noise.uniform()",
      "pixels[i] + noise.seek(0, index).uniform()",
    ],
  ]),
  ...at("src/preprocessing/learned-noise.ts", [
    ["the same learned noise at every step", "random.seek(step, first + i)", "random.seek(0, first + i)"],
    ["the same learned noise for all images", "random.seek(step, first + i)", "random.seek(step, 0)"],
  ]),
  ...at("src/flows/samples.ts", [["rows as they are later", "Table.copy(samples)", "Table.from(samples)"]]),
  ...at("src/ranks/rank-maps.ts", [
    [
      "ranks that map while the flow is in training",
      "this.#flow.inTurn(() => this.#mapTable(map, input(), options), signal)",
      "this.#mapTable(map, input(), options)",
    ],
  ]),
  ...at("src/flows/flow.ts", [
    ["samples drawn out of turn", "(await this.inTurn(work, signal)).out", "(await work()).out"],
    [
      "the terms of the preprocessing left out",
      "...this.#terms.map((term) => term.values)]",
      "...this.#terms.map((term) => term.values.map(() => 0))]",
    ],
    ["a term of the preprocessing that goes on growing", "rows.term.fill(0);", ";"],
    [
      "a pass that takes the flow's memory out of turn",
      "this.#turn.then(async () => {",
      "Promise.resolve().then(async () => {",
    ],
    [
      "evaluation as in training",
      "first: first + start, training: false",
      "first: first + start, training: true",
    ],
    ["rows numbered anew in every pass", "first: first + start, training: false", "first, training: false"],
    [
      "probes of seed 0 in every evaluation",
      "{ seed, step: 0, first: first + start",
      "{ seed: 0, step: 0, first: first + start",
    ],
    [
      "norms that have converged but are not sent to the engine",
      "await this.iterate(LAST_ROUNDS);\n      this.prepare();",
      "await this.iterate(LAST_ROUNDS);",
    ],
    ["learned noise without power iteration", "await step.iterate?.(rounds);", ";"],
    ["blocks that start without power iteration", "await bijection.startNorms?.();", ";"],
    ["learned noise that starts without power iteration", "await step.startNorms?.();", ";"],
  ]),
  ...at("src/flows/certificate.ts", [
    [
      "certify without its Lipschitz limit",
      "if (lipschitzBound < LIMITS.lipschitz) continue;",
      "if (lipschitzBound < 1e9) continue;",
    ],
    ["certify without its round-trip limit", "!(roundTrip < LIMITS.roundTrip)", "roundTrip < 0"],
    ["certify without its log-determinant limit", "!(logDet.error < logDet.limit)", "logDet.error < 0"],
  ]),
  ...at("src/flows/chain.ts", [
    [
      "the same starting weights in every block",
      "new Random(seed, Purpose.initialisation, i)",
      "new Random(seed, Purpose.initialisation)",
    ],
    [
      "the same starting weights for every seed",
      "new Random(seed, Purpose.initialisation, i)",
      "new Random(0, Purpose.initialisation, i)",
    ],
  ]),
  ...at("src/preprocessing/standardisation.ts", [
    ["standardisation without its log-slope", "term[i] -= this.#logDeviations[j]", "term[i] -= 0"],
  ]),
  ...at("src/preprocessing/logit.ts", [
    ["logits without the width of a level", "Math.log(this.#share / this.#levels)", "Math.log(this.#share)"],
  ]),
  ...at("src/bijections/actnorm.ts", [
    ["an actnorm that counts a pixel once", "this.#places * this.logScale.values", "this.logScale.values"],
    ["its gradient of one pixel", "this.#places * sums[2 * this.#dim]", "sums[2 * this.#dim]"],
  ]),
  ...at("src/bases/normal.ts", [
    ["the same latent for all samples", "random.seek(0, i)", "random.seek(0, 0)"],
  ]),
  ...at("src/bijections/index.ts", [
    [
      "other threads do not import what registers a bijection",
      "for (const module of modules) await",
      "for (const module of modules.slice(0, 0)) await",
    ],
  ]),
  ...at("src/bases/host-base.ts", [
    ["the same draw of a base for all samples", "random.seek(0, i)", "random.seek(0, 0)"],
    ["a base's gradient from the steps before", "gradient.fill(0);", ";"],
  ]),
];

export function plantedErrors(root: string): Mutation[] {
  return PLANTED.map(({ error, file, code, wrong }) => {
    const text = readFileSync(join(root, file), "utf8");
    const start = text.indexOf(code);
    if (start < 0 || text.indexOf(code, start + 1) >= 0) {
      throw new Error(`planted.ts: "${error}" needs ${file} to hold this once: ${code}`);
    }
    const line = text.slice(0, start).split("\n").length;
    const end = start + code.length;
    return {
      file,
      line,
      code,
      operator: error,
      start,
      end,
      before: code,
      after: wrong,
      key: `${file} | ${error}`,
    };
  });
}
