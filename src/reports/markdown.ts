/** A report as Markdown (GitHub's kind), with its pictures in files beside it. */
import { numbering, numericColumns, paragraphs, verdict } from "./layout.js";
import type { Item, Report } from "./report.js";

/** Plain text on one line, with everything escaped that Markdown would read as more than text. */
function plain(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  const escaped = line.replace(/[\\`*_[\]<>|~$]/g, "\\$&");
  // What would make a heading or a list of the line.
  return escaped.replace(
    /^(#+|[-+]|\d+[.)])(?=\s|$)/,
    (start) => `${start.slice(0, -1)}\\${start.slice(-1)}`,
  );
}

/** The page; figures are linked as `figures/NAME.png`. */
export function markdownPage(report: Report): string {
  const names = numbering(report);
  const { title, summary, sections, facts } = report;
  return `${[
    `# ${plain(title)}`,
    ...paragraphs(summary).map(plain),
    ...sections.flatMap((section) => [
      `## ${plain(section.title)}`,
      ...section.items.flatMap((item) => itemOf(item, names.get(item) ?? "")),
    ]),
    "## To repeat this",
    tableOf(["", ""], facts),
  ].join("\n\n")}\n`;
}

function itemOf(item: Item, name: string): string[] {
  switch (item.kind) {
    case "text":
      return paragraphs(item.text).map(plain);
    case "figure": {
      const caption = plain(item.caption);
      return [`![${caption}](figures/${item.name}.png)`, `**${name}.** ${caption}`];
    }
    case "table":
      return [`**${name}.** ${plain(item.caption)}`, tableOf(item.columns, item.rows)];
    case "check":
      return [`> **${verdict(item.holds)}:** ${plain(item.claim)}  \n> ${plain(item.detail)}`];
  }
}

function tableOf(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    line(columns.map(plain)),
    line(numericColumns(columns, rows).map((numeric) => (numeric ? "---:" : "---"))),
    ...rows.map((row) => line(row.map(plain))),
  ].join("\n");
}
