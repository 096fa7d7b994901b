/**
 * The random numbers of stochastic log-determinants: how many terms a block's series has, and its probes. They are
 * keyed by seed, step, block and sample, so that a sample meets the same probes whichever rank works on it.
 */
import { Purpose, Random } from "../engine/random.js";
import { type BoundedSeries, boundedRoulette, ROULETTE_TOLERANCE } from "./bounded-roulette.js";
import { drawTerms, type Law, type Roulette, weights } from "./roulette.js";

export interface Estimator {
  /** Of the terms beyond the exact ones in training; elsewhere `boundedRoulette` says how many there are. */
  readonly law: Law;
  /** The mean of the Poisson law, or the geometric law's chance to stop after a term. */
  readonly rate: number;
  /** Terms that are always computed, in training and, at least, elsewhere. */
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
  /** The last one of each block, and the series that it is for. */
  readonly #roulettes: { key: string; roulette: Roulette }[] = [];

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

  /**
   * The terms of a block's series in this pass, and their weights for k = 0, 1, ...; `series` is asked for elsewhere than in
   * training.
   */
  terms(block: number, dim: number, series: () => BoundedSeries): { count: number; weights: Float64Array } {
    const { law, rate, exactTerms } = this.estimator;
    const { seed, training } = this.#pass;
    const roulette: Roulette = training
      ? { law, rate, exact: exactTerms }
      : this.#evaluation(block, dim, series());
    // The same for all samples of a step: ranks have equally much to do.
    const sample = training ? 0 : this.#pass.first;
    const random = new Random(seed, Purpose.roulette, this.#key(block), sample);
    const count = drawTerms(roulette, random);
    return { count, weights: weights(roulette, count) };
  }

  /** That of passes without gradients. All blocks together keep the tolerance, as they draw independently. */
  #evaluation(block: number, dim: number, series: BoundedSeries): Roulette {
    const key = Object.values(series).join();
    const known = this.#roulettes[block];
    if (known?.key === key) return known.roulette;
    const { law, rate, probe, exactTermsInEvaluation } = this.estimator;
    // Nothing can be promised then; only models that are used without a certificate come here.
    if (!(series.lipschitz < 1)) return { law, rate, exact: exactTermsInEvaluation };
    // The mean of |v|^4 is dim^2 of signs, and dim^2 + 2 dim of normal probes.
    const scatter = probe === "normal" ? Math.sqrt(1 + 2 / dim) : 1;
    const tolerance = ROULETTE_TOLERANCE / Math.sqrt(this.#blocks) / scatter;
    const roulette = boundedRoulette(series, tolerance, exactTermsInEvaluation);
    this.#roulettes[block] = { key, roulette };
    return roulette;
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
