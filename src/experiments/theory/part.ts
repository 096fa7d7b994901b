/** One claim of the theory: numbers that are computed once and kept, and the section that shows them. */
import type { Section } from "../../reports/report.js";
import type { ReproductionContext } from "../reproduction.js";
import { finishedPart } from "../reproduction-folder.js";

export type PartContext = Pick<ReproductionContext, "quick" | "seed" | "progress">;

export interface Part<Data> {
  /** Of the file that keeps the numbers. */
  readonly name: string;
  /** How much is computed: everything but the seed that the numbers depend on. */
  settings(quick: boolean): object;
  /** The numbers, as plain JSON. */
  compute(context: PartContext): Promise<Data>;
  section(data: Data): Section;
}

/** A part whose numbers nobody else needs to know. */
export interface AnyPart {
  readonly name: string;
  settings(quick: boolean): object;
  run(context: ReproductionContext): Promise<Section>;
}

export function part<Data>({ name, settings, compute, section }: Part<Data>): AnyPart {
  return {
    name,
    settings,
    run: async (context) => section(await finishedPart(context.folder, name, () => compute(context))),
  };
}
