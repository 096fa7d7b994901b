/** What the pages of a report have in common, whatever they are written in. */
import type { Item, Report } from "./report.js";

/** The place of every figure and table in the report: "Figure 3", "Table 1". */
export function numbering({ sections }: Pick<Report, "sections">): Map<Item, string> {
  const counts = { figure: 0, table: 0 };
  const names = new Map<Item, string>();
  for (const item of sections.flatMap(({ items }) => items)) {
    if (item.kind === "figure") names.set(item, `Figure ${++counts.figure}`);
    if (item.kind === "table") names.set(item, `Table ${++counts.table}`);
  }
  return names;
}

/** For each column of a table, whether it holds numbers: these are aligned on the right. */
export function numericColumns(columns: readonly string[], rows: readonly (readonly string[])[]): boolean[] {
  const numeric = (cell: string) => cell === "" || /^([-−+±<≤]?\s*\d|[-–—]$)/.test(cell);
  return columns.map((_, c) => rows.length > 0 && rows.every((row) => numeric(row[c] ?? "")));
}

export const paragraphs = (text: string) => text.split(/\n\s*\n/).map((p) => p.trim());

/** How a claim came out, in a sign and a word: no reader depends on colours. */
export const verdict = (holds: boolean) => (holds ? "✓ holds" : "✗ does not hold");
