import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { comparisons, page, smallRows } from "../scripts/presets/page.js";
import { values } from "../scripts/presets/rows.js";

it("documents the presets as they are", () => {
  const written = readFileSync(new URL("../docs/presets.md", import.meta.url), "utf8");
  expect(written, "docs/presets.md is out of date: npx tsx scripts/presets/build.ts").toBe(page());
});

describe.each(comparisons)("$title", ({ rows, columns, faithful }) => {
  it.each(rows)("$setting: a difference has its reason", ({ original, why, still, of }) => {
    const own = columns.map(({ plans }) => values(plans, of));
    for (const value of own) if (value !== original) expect(why ?? still).toMatch(/\w+ \w+/);
    // What follows the original exactly, does so wherever nothing says that it cannot.
    if (faithful && !still) expect(own.at(-1)).toBe(original);
    if (still) expect(own.at(-1)).not.toBe(original);
    if (why && !still) expect(own.some((value) => value !== original)).toBe(true);
  });
});

it("says why small sizes differ from the large ones", () => {
  for (const { setting, why } of smallRows()) expect(why, setting).not.toBe("");
});
