import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseHTML } from "linkedom";
import { afterAll, expect, it } from "vitest";
import { curveFigure } from "../plots/index.js";
import { claimsOf, type Item, type Report } from "./report.js";
import { writeReport } from "./write-report.js";

const folder = mkdtempSync(join(tmpdir(), "monotone-flows-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const picture = curveFigure({ xLabel: "x", yLabel: "y", series: [{ name: "s", x: [0, 1], y: [1, 2] }] });
const hostile = `<script>alert("1")</script> & 'a' | b_c * [d](e) $f$ \`g\``;
const items: Item[] = [
  { kind: "text", text: `First ${hostile}\n\nSecond\n\n1. Third\n\n# Fourth` },
  { kind: "figure", name: "one", picture, caption: `Caption ${hostile}` },
  { kind: "table", columns: ["name", "L|R"], rows: [[hostile, "1.5"]], caption: "A table" },
  { kind: "check", claim: `Claim ${hostile}`, holds: true, detail: "3 of 3" },
  { kind: "check", claim: "Another", holds: false, detail: "1 of 3" },
];
const report: Report = {
  title: `Title ${hostile}`,
  summary: "Summary",
  sections: [{ title: "Section", items }],
  facts: [["seed", "7"]],
};
writeReport(folder, report);
const file = (name: string) => readFileSync(join(folder, name), "utf8");

it("writes one page with its pictures inside that shows every text as it is", () => {
  const page = file("report.html");
  expect(page).not.toMatch(/(src|href)="(?!data:image\/svg\+xml;base64,|#)/);
  const { document } = parseHTML(page);
  expect(document.querySelector("script")).toBeNull();
  expect(document.querySelector("h1")?.textContent).toBe(report.title);
  expect(document.querySelector("td")?.textContent).toBe(hostile);
  expect(document.querySelector("figcaption")?.textContent).toBe(`Figure 1. Caption ${hostile}`);
  const image = document.querySelector("img");
  expect(image?.getAttribute("alt")).toBe(`Caption ${hostile}`);
  const [, data] = image?.getAttribute("src")?.split("base64,") ?? [];
  expect(Buffer.from(data, "base64").toString()).toBe(picture.svg);
  expect([...document.querySelectorAll("section p")].map((p) => p.textContent)).toContain("Second");
  expect(page).toContain("prefers-color-scheme: dark");
});

it("writes Markdown that links its pictures and reads as plain text", () => {
  const page = file("report.md");
  const [, link] = /!\[.*\]\((figures\/[^)]+)\)/.exec(page) ?? [];
  expect(existsSync(join(folder, link))).toBe(true);
  expect(page).not.toMatch(/(?<!\\)<script/);
  const row = page.split("\n").find((line) => line.endsWith("| 1.5 |"));
  expect(row?.match(/(?<!\\)\|/g)).toHaveLength(3);
  expect(page).toContain("\n\n1\\. Third\n\n\\# Fourth\n\n");
  expect(page).toContain("| name | L\\|R |\n| --- | ---: |");
});

it("keeps tables and claims as data", () => {
  const { title, facts, sections } = JSON.parse(file("results.json"));
  expect(title).toBe(report.title);
  expect(facts).toEqual({ seed: "7" });
  expect(sections[0].tables[0].rows).toEqual([[hostile, "1.5"]]);
  expect(sections[0].claims.map((c: { holds: boolean }) => c.holds)).toEqual([true, false]);
  expect(claimsOf(report).map(({ holds }) => holds)).toEqual([true, false]);
});

it("says in words how a claim came out", () => {
  for (const name of ["report.html", "report.md"]) {
    expect(file(name)).toContain("✓ holds");
    expect(file(name)).toContain("✗ does not hold");
  }
  expect(file("report.html")).toContain("<b>1 of 2</b> claims");
});

it("refuses figures without file names of their own, before it writes anything", () => {
  const figure = items[1];
  const place = join(folder, "refused");
  for (const wrong of [[figure, figure], [{ ...figure, name: "../one" } as Item]]) {
    expect(() => writeReport(place, { ...report, sections: [{ title: "", items: wrong }] })).toThrow(/name/);
  }
  expect(existsSync(place)).toBe(false);
  expect(readdirSync(folder).filter((name) => name.includes("partial"))).toEqual([]);
});
