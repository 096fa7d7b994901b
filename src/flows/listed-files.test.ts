import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { readListed, readListing, unlist, writeListed } from "./listed-files.js";
import { MANIFEST_FILE } from "./manifest.js";

const place = mkdtempSync(join(tmpdir(), "listed-test-"));
afterAll(() => rmSync(place, { recursive: true }));

let folders = 0;
function folder(): string {
  const path = join(place, String(folders++));
  mkdirSync(path);
  return path;
}

const text = (path: string, name: string) =>
  new TextDecoder().decode(readListed(path, readListing(path), name) ?? undefined);

it("writes files with their manifest, replaces and removes them, and leaves the others", () => {
  const path = folder();
  expect(readListing(path)).toBe(null);
  writeListed(path, { a: "1", b: "2" });
  writeListed(path, { b: "3", c: new TextEncoder().encode("4") });
  expect(["a", "b", "c"].map((name) => text(path, name))).toEqual(["1", "3", "4"]);
  writeListed(path, { a: null });
  expect(readdirSync(path).sort()).toEqual(["b", "c", MANIFEST_FILE]);
  expect([...(readListing(path)?.keys() ?? [])]).toEqual(["b", "c"]);
  writeFileSync(join(path, "c"), "5");
  expect(() => text(path, "c")).toThrow(/c is not what its folder's manifest\.json lists/);
  unlist(path, "c");
  expect(text(path, "c")).toBe("5");
  const before = readFileSync(join(path, MANIFEST_FILE));
  unlist(path, "c");
  expect(readFileSync(join(path, MANIFEST_FILE))).toEqual(before);
});

it.each([true, false])("can be read where a replacement failed (listed before: %s)", (listed) => {
  const path = folder();
  if (listed) writeListed(path, { a: "1" });
  else writeFileSync(join(path, "a"), "1");
  // In the place of what is written first.
  mkdirSync(join(path, `a.${process.pid}.partial`));
  expect(() => writeListed(path, { a: "2", b: "3" })).toThrow(/cannot write/);
  // The manifest knows what was there, what was to come, and that the other is not there yet.
  expect(text(path, "a")).toBe("1");
  expect(readListed(path, readListing(path), "b")).toBe(null);
  writeFileSync(join(path, "a"), "2");
  expect(text(path, "a")).toBe("2");
});
