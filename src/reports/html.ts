/** A report as one HTML file: its style and its pictures are inside, so it opens from disk and can be sent. */
import { numbering, numericColumns, paragraphs, verdict } from "./layout.js";
import { type Claim, claimsOf, type Item, type Report } from "./report.js";

/** Text that is HTML already. */
class Markup {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }

  toString(): string {
    return this.source;
  }
}

type Content = string | number | Markup | readonly Content[];

const ESCAPES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function source(content: Content): string {
  if (content instanceof Markup) return content.source;
  if (typeof content === "object") return content.map(source).join("\n");
  return String(content).replace(/[&<>"']/g, (c) => ESCAPES[c]);
}

/** A template whose texts are escaped and whose `Markup` is not. */
function html(strings: TemplateStringsArray, ...contents: Content[]): Markup {
  return new Markup(String.raw({ raw: strings }, ...contents.map(source)));
}

const STYLE = new Markup(`
:root { color-scheme: light dark; --page: #ffffff; --ink: #1c1c1c; --quiet: #595959; --line: #d0d0d0;
  --holds: #00694e; --fails: #b34700; --link: #005a94; }
@media (prefers-color-scheme: dark) {
  :root { --page: #16181b; --ink: #e6e6e6; --quiet: #a8a8a8; --line: #3c4045;
    --holds: #5fd0ad; --fails: #ff9a57; --link: #7cc4f5; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 56rem; padding: 2.5rem 1.25rem 4rem; background: var(--page); color: var(--ink);
  font: 1.0625rem/1.6 Charter, "Bitstream Charter", "Iowan Old Style", Georgia, "Times New Roman", serif; }
h1, h2, nav, figcaption, caption, table, .claim { font-family: "Helvetica Neue", Arial, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.8rem; line-height: 1.25; margin: 0 0 1rem; }
h2 { font-size: 1.3rem; margin: 3rem 0 0.75rem; padding-top: 0.75rem; border-top: 1px solid var(--line); }
p { margin: 0.75rem 0; max-width: 44rem; }
a { color: var(--link); }
figure { margin: 1.75rem 0; }
figure img { display: block; max-width: 100%; height: auto; border-radius: 4px; background: #ffffff; }
figcaption, caption { color: var(--quiet); font-size: 0.875rem; line-height: 1.5; text-align: left; }
figcaption { margin-top: 0.5rem; }
figcaption b, caption b { color: var(--ink); }
.wide { margin: 1.75rem 0; overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.875rem; line-height: 1.45; font-variant-numeric: tabular-nums; }
caption { margin-bottom: 0.5rem; }
th, td { padding: 0.3rem 1.1rem 0.3rem 0; text-align: left; vertical-align: top; }
thead th { border-top: 2px solid var(--ink); border-bottom: 1px solid var(--ink); }
tbody tr:last-child > * { border-bottom: 2px solid var(--ink); }
tbody th { font-weight: normal; color: var(--quiet); white-space: nowrap; }
.number { text-align: right; white-space: nowrap; }
.claim { margin: 0.9rem 0; padding: 0.1rem 0 0.1rem 0.9rem; border-left: 4px solid var(--holds); font-size: 0.9375rem;
  line-height: 1.5; }
.claim.fails { border-color: var(--fails); }
.claim b { color: var(--holds); white-space: nowrap; }
.claim.fails b { color: var(--fails); }
.claim span { display: block; color: var(--quiet); font-size: 0.875rem; }
@media print { body { max-width: none; padding: 0; } figure, .claim, tr { break-inside: avoid; } }
`);

/** The page; every text of the report is escaped. */
export function htmlPage(report: Report): string {
  const names = numbering(report);
  const { title, summary, sections, facts } = report;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="monotone-flows">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${title}</h1>
${paragraphs(summary).map((p) => html`<p>${p}</p>`)}
${overview(
  sections.map((s) => s.title),
  claimsOf(report),
)}
${sections.map(
  (section, i) => html`<section id="section-${i + 1}">
<h2>${section.title}</h2>
${section.items.map((item) => itemOf(item, names.get(item) ?? ""))}
</section>`,
)}
<section id="repeat">
<h2>To repeat this</h2>
<div class="wide"><table><tbody>
${facts.map(([label, text]) => html`<tr><th scope="row">${label}</th><td>${text}</td></tr>`)}
</tbody></table></div>
</section>
</main>
</body>
</html>
`;
  return page.source;
}

/** The sections as links, and how many claims hold. */
function overview(titles: readonly string[], claims: readonly Claim[]): Content {
  const holding = claims.filter((c) => c.holds).length;
  return [
    html`<nav><ol>
${titles.map((title, i) => html`<li><a href="#section-${i + 1}">${title}</a></li>`)}
</ol></nav>`,
    claims.length === 0
      ? []
      : html`<p class="claim${holding < claims.length ? " fails" : ""}"><b>${holding} of ${claims.length}</b> claims that were checked hold.</p>`,
  ];
}

function itemOf(item: Item, name: string): Content {
  switch (item.kind) {
    case "text":
      return paragraphs(item.text).map((p) => html`<p>${p}</p>`);
    case "figure":
      return html`<figure id="${item.name}">
<img alt="${item.caption}" src="data:image/svg+xml;base64,${Buffer.from(item.picture.svg).toString("base64")}">
<figcaption><b>${name}.</b> ${item.caption}</figcaption>
</figure>`;
    case "table": {
      const numeric = numericColumns(item.columns, item.rows);
      const style = (c: number) => (numeric[c] ? html` class="number"` : "");
      return html`<div class="wide"><table>
<caption><b>${name}.</b> ${item.caption}</caption>
<thead><tr>${item.columns.map((text, c) => html`<th scope="col"${style(c)}>${text}</th>`)}</tr></thead>
<tbody>
${item.rows.map((row) => html`<tr>${row.map((text, c) => html`<td${style(c)}>${text}</td>`)}</tr>`)}
</tbody>
</table></div>`;
    }
    case "check":
      return html`<p class="claim${item.holds ? "" : " fails"}"><b>${verdict(item.holds)}</b> ${item.claim}<span>${item.detail}</span></p>`;
  }
}
