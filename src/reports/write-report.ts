/** Writes a report into a folder: as a page, as Markdown, and as data. */
import { join } from "node:path";
import { check } from "../errors.js";
import { writeFileAtomically } from "../files.js";
import { renderPng } from "../plots/index.js";
import { htmlPage } from "./html.js";
import { markdownPage } from "./markdown.js";
import type { Report } from "./report.js";

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
