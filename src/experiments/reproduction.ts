/** An experiment of the slides as something that `monotone-flows reproduce` can run. */
import type { Report } from "../reports/report.js";

export interface ReproductionOptions {
  /** A faithful small version instead of the full protocol. */
  readonly quick: boolean;
  readonly seed: number;
  /** The folder with MNIST and CIFAR-10, for an experiment that `takesImages`. */
  readonly dataDir?: string | undefined;
  /** Training steps on them, fewer or more than their presets have. */
  readonly imageSteps?: number | undefined;
  /** Where those files come from, in words that the report repeats: nobody can tell it from the files. */
  readonly origin?: string | undefined;
}

export interface ReproductionContext extends ReproductionOptions {
  /** Holds what is finished; every part is a file, or a folder, with a name of its own. */
  readonly folder: string;
  readonly threads: number;
  /** One line now and then on how far it is. */
  readonly progress: (line: string) => void;
}

export interface Reproduction {
  readonly name: "theory" | "1d" | "2d" | "images" | "seeds";
  readonly description: string;
  /** Whether it also uses image data sets that people have. */
  readonly takesImages?: boolean;
  /** Everything that the result depends on, as plain JSON or a promise of it; a folder with other settings is refused. */
  settings(options: ReproductionOptions): unknown;
  /** Does what is not done yet in the folder and returns the report; finished parts are never recomputed. */
  run(context: ReproductionContext): Promise<Report>;
}
