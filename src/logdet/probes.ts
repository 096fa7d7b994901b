/**
 * The random numbers of stochastic log-determinants: how many terms a block's series has, and its probes. They are
 * keyed by seed, step, block and sample, so that a sample meets the same probes whichever rank works on it.
 */
import { Purpose, Random } from "../engine/random.js";
import { drawTerms, type Law, type Roulette, weights } from "./roulette.js";

export interface Estimator {
  readonly law: Law;
  /** The mean of the Poisson law, or the geometric law's chance to stop after a term. */
  readonly rate: number;
  /** Terms that are always computed, in training and elsewhere. */
  readonly exactTerms: number;
  readonly exactTermsInEvaluation: number;
  readonly probe: "rademacher" | "normal";
  /** Probes a sample, whose estimates are averaged. */
  readonly probes: number;
}

/** What the samples of a pass are. */
export interface PassKey {
  readonly seed: number;
  /** Training: the step. Elsewhere 0. */
  readonly step: number;
  /** The number of the first sample, in its batch or table. */
  readonly first: number;
  /** Whether gradients will be asked for. */
  readonly training: boolean;
  /** Whether log-determinants are to be exact, by all columns of every Jacobian: for small images. */
  readonly exact?: boolean;
}

/** The key of a pass that is nobody's step. */
export const FRESH: PassKey = { seed: 0, step: 0, first: 0, training: false };

export class Probes {
  readonly estimator: Estimator;
  /** Blocks that draw. */
  readonly #blocks: number;
  #pass: PassKey = FRESH;

  constructor(estimator: Estimator, blocks: number) {
    this.estimator = estimator;
    this.#blocks = blocks;
  }

  /** Names the pass that begins. */
  begin(pass: PassKey): void {
    this.#pass = pass;
  }

  get pass(): PassKey {
    return this.#pass;
  }

  /** The terms of a block's series in this pass, and their weights for k = 0, 1, ... */
  terms(block: number): { count: number; weights: Float64Array } {
    const { law, rate, exactTerms, exactTermsInEvaluation } = this.estimator;
    const { seed, training } = this.#pass;
    const roulette: Roulette = { law, rate, exact: training ? exactTerms : exactTermsInEvaluation };
    // The same for all samples of a step: ranks have equally much to do.
    const sample = training ? 0 : this.#pass.first;
    const random = new Random(seed, Purpose.roulette, this.#key(block), sample);
    const count = drawTerms(roulette, random);
    return { count, weights: weights(roulette, count) };
  }

  /** Fills `out`, [dimension][sample], with the probe of that number. */
  fill(out: Float64Array, dim: number, samples: number, block: number, probe: number): void {
    const { probe: law, probes } = this.estimator;
    const { seed, first } = this.#pass;
    const random = new Random(seed, Purpose.probe);
    for (let s = 0; s < samples; s++) {
      random.seek(this.#key(block) * probes + probe, first + s);
      if (law === "normal") for (let i = s; i < dim * samples; i += samples) out[i] = random.normal();
      else {
        let bits = 0;
        for (let i = 0, at = s; i < dim; i++, at += samples) {
          if (i % 32 === 0) bits = random.word();
          out[at] = bits & 1 ? 1 : -1;
          bits >>>= 1;
        }
      }
    }
  }

  #key(block: number): number {
    return this.#pass.step * this.#blocks + block;
  }
}
