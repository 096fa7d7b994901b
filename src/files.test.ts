import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { makeFolder, reason, writeFileAtomically } from "./files.js";

const folder = mkdtempSync(join(tmpdir(), "files-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

const at = (...names: string[]) => join(folder, ...names);
const failure = (path: string) => {
  try {
    makeFolder(path);
    return null;
  } catch (error) {
    return reason(error);
  }
};

it("makes the folders that are missing, and removes those again that are empty", () => {
  mkdirSync(at("there"));
  const unmake = makeFolder(at("there", "a", "b", "..", "c"));
  expect(readdirSync(at("there", "a"))).toEqual(["c"]);
  expect(makeFolder(at("there", "a"))()).toBe(undefined);
  unmake();
  expect(readdirSync(at("there"))).toEqual([]);
  const keep = makeFolder(at("there", "a", "b"));
  writeFileSync(at("there", "a", "file"), "");
  keep();
  expect(readdirSync(at("there", "a"))).toEqual(["file"]);
});

it("says what is in the way", () => {
  writeFileSync(at("file"), "");
  symlinkSync(at("nowhere"), at("link"));
  for (const below of [[], ["x"], ["x", "y"]]) {
    expect(failure(at("file", ...below))).toMatch(/file is in the place of a folder|is a file, not a folder/);
    expect(failure(at("link", ...below))).toBe(`${at("link")} is a link to nowhere`);
  }
  expect(failure(at("n".repeat(300), "x"))).toBe("the name is too long");
  expect(() => writeFileAtomically(at("link", "x", "file"), "")).toThrow(
    `cannot write ${at("link", "x", "file")}: ${at("link")} is a link to nowhere`,
  );
});

it.runIf(existsSync("/proc/self"))("ends where no folder can be made, and leaves none", () => {
  expect(failure("/proc/nowhere/x/y")).toBe("no folder can be made in /proc");
  const limit = at(...Array(3).fill("deep"), "n".repeat(300));
  expect(failure(limit)).toBe("the name is too long");
  expect(existsSync(at("deep"))).toBe(false);
});
