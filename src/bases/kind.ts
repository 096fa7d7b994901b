/** How a base distribution enters the package; compare `bijections/kind.ts`. */
import type { Engine } from "../engine/engine.js";
import type { Kind } from "../kinds.js";
import type { ParameterMaker } from "../model/parameters.js";
import type { Random } from "../model/random.js";
import type { Base } from "./base.js";

/** What a base is made from. */
export interface BaseSite {
  readonly engine: Engine;
  readonly parameters: ParameterMaker;
  /** Dimensions of the latents. */
  readonly dim: number;
  /** Samples that a pass can take, as lanes. */
  readonly capacity: number;
  /** For its first parameters. */
  readonly random: Random;
}

/** One kind of base distribution. All that the package knows of it stands in the file that exports this. */
export interface BaseKind<Declaration extends { kind: string } = { kind: string }> extends Kind<Declaration> {
  /** The numbers that it learns (default 0). */
  learned?(declaration: Declaration, dim: number): number;
  make(declaration: Declaration, site: BaseSite): Base;
}
