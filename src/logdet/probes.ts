/**
 * The random numbers of stochastic log-determinants: how many terms a block's series has, and its probes. They are
 * keyed by seed, step, block and sample, so that a sample meets the same probes whichever rank works on it.
 */
import { Purpose, Random } from "../model/random.js";
import { type BoundedSeries, boundedRoulette, ROULETTE_TOLERANCE } from "./bounded-roulette.js";
import type { Estimator } from "./estimator.js";
import { drawTerms, type Roulette, weights } from "./roulette.js";

/** What the samples of a pass are. */
export interface PassKey {
  /** Of all that the pass draws. */
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
  #blocks = 0;
  /** The last one of each block, and the series that it is for. */
  readonly #roulettes: { key: string; roulette: Roulette }[] = [];

  constructor(estimator: Estimator) {
    this.estimator = estimator;
  }

  /** The number of one more block that draws; all of them enrol before the first pass. */
  enrol(): number {
    return this.#blocks++;
  }

  /**
   * The terms of a block's series in this pass, and their weights for k = 0, 1, ...; `series` is asked for elsewhere than in
   * training.
   */
  terms(
    block: number,
    dim: number,
    { seed, step, first, training }: PassKey,
    series: () => BoundedSeries,
  ): { count: number; weights: Float64Array } {
    const { law, rate, exactTerms } = this.estimator;
    const roulette: Roulette = training
      ? { law, rate, exact: exactTerms }
      : this.#evaluation(block, dim, series());
    // The same for all samples of a step: ranks have equally much to do.
    const sample = training ? 0 : first;
    const random = new Random(seed, Purpose.roulette, this.#key(block, step), sample);
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

  /** Fills `out`, [dimension][sample], with the probe of that number of a block in a pass. */
  fill(
    out: Float64Array,
    dim: number,
    samples: number,
    block: number,
    probe: number,
    { seed, step, first }: PassKey,
  ): void {
    const { probe: law, probes } = this.estimator;
    const random = new Random(seed, Purpose.probe);
    for (let s = 0; s < samples; s++) {
      random.seek(this.#key(block, step) * probes + probe, first + s);
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

  #key(block: number, step: number): number {
    return step * this.#blocks + block;
  }
}
