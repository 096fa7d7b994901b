import type { ImageShape } from "./image-set.js";
import type { RawSet } from "./records.js";

/**
 * Where images lie: plain data, so that every worker thread can open the same images for itself, and JSON can
 * hold it. Paths are absolute.
 */
export type ImageSource = {
  readonly name: string;
  readonly shape: ImageShape;
  readonly levels: number;
  readonly trainCount: number;
  readonly testCount: number;
  /** What a person should know, in sentences: parts that are missing, for example. */
  readonly remarks: readonly string[];
} & ({ readonly kind: "digits" } | { readonly kind: "raw"; readonly train: RawSet; readonly test: RawSet });
