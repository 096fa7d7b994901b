/** What a reproduction leaves behind: words, figures and tables, with what is needed to repeat them. */
import { join } from "node:path";
import { check } from "../errors.js";
import { writeFileAtomically } from "../files.js";
import { type Picture, renderPng } from "../plots/index.js";
import { htmlPage } from "./html.js";
import { markdownPage } from "./markdown.js";

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

/**
 * Writes `figures/NAME.png`, `report.md` (which shows them), `report.html` (one file, its pictures inside) and
 * `results.json` (tables and claims as data), in this order, into a folder that is made if need be. Each file
 * appears complete or not at all. Throws `internal` for figures without names of their own, `output` where a
 * file cannot be written.
 */
export function writeReport(folder: string, report: Report): void {
  const figures = report.sections.flatMap(({ items }) => items.filter((item) => item.kind === "figure"));
  const names = figures.map(({ name }) => name);
  const wrong = names.find((name, i) => !/^[\w.-]+$/.test(name) || names.indexOf(name) !== i);
  check(wrong === undefined, "internal", `the name '${wrong}' is no file's name, or that of two figures`);
  for (const { name, picture } of figures) {
    writeFileAtomically(join(folder, "figures", `${name}.png`), renderPng(picture));
  }
  writeFileAtomically(join(folder, "report.md"), markdownPage(report));
  writeFileAtomically(join(folder, "report.html"), htmlPage(report));
  writeFileAtomically(join(folder, "results.json"), `${JSON.stringify(results(report), null, 2)}\n`);
}

/** The report without its pictures. */
function results({ title, summary, sections, facts }: Report) {
  return {
    title,
    summary,
    facts: Object.fromEntries(facts),
    sections: sections.map(({ title, items }) => ({
      title,
      figures: items.flatMap((item) => (item.kind === "figure" ? [`figures/${item.name}.png`] : [])),
      tables: items.flatMap((item) =>
        item.kind === "table" ? [{ caption: item.caption, columns: item.columns, rows: item.rows }] : [],
      ),
      claims: items.flatMap((item) =>
        item.kind === "check" ? [{ claim: item.claim, holds: item.holds, detail: item.detail }] : [],
      ),
    })),
  };
}
