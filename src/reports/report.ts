/** What a reproduction leaves behind: words, figures and tables, with what is needed to repeat them. */
import type { Picture } from "../plots/index.js";

export interface Report {
  readonly title: string;
  /** One paragraph: what was asked, what came out. Plain text. */
  readonly summary: string;
  readonly sections: readonly Section[];
  /** Command, seeds, version of the package, time taken: label and text. */
  readonly facts: readonly (readonly [string, string])[];
}

export interface Section {
  readonly title: string;
  readonly items: readonly Item[];
}

export type Item = Text | Figure | TableItem | Claim;

/** Plain text; an empty line ends a paragraph. */
export interface Text {
  readonly kind: "text";
  readonly text: string;
}

export interface Figure {
  readonly kind: "figure";
  /** The name of the PNG file: letters, digits, dots and dashes, and no two figures alike. */
  readonly name: string;
  readonly picture: Picture;
  readonly caption: string;
}

export interface TableItem {
  readonly kind: "table";
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly caption: string;
}

/** A claim that was checked, and the numbers that decided it. */
export interface Claim {
  readonly kind: "check";
  readonly claim: string;
  readonly holds: boolean;
  readonly detail: string;
}

/** All claims of a report, in its order. */
export function claimsOf({ sections }: Pick<Report, "sections">): Claim[] {
  return sections.flatMap(({ items }) => items.filter((item) => item.kind === "check"));
}
