import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { finishedPart, ReproductionFolder } from "./reproduction-folder.js";

const root = mkdtempSync(join(tmpdir(), "monotone-flows-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const wanted = {
  reproduction: "theory",
  version: "1.0.0",
  settings: { seed: 0, slopes: { lipschitz: [0.1, 0.2] } },
};

it("starts a folder, and opens it again with the same settings only", () => {
  const path = join(root, "new", "theory");
  ReproductionFolder.open(path, wanted);
  const before = readFileSync(join(path, "settings.json"), "utf8");
  expect(JSON.parse(before)).toEqual(wanted);
  expect(() => ReproductionFolder.open(path, wanted)).not.toThrow();
  const refused = (change: object, sentence: RegExp) =>
    expect(() => ReproductionFolder.open(path, { ...wanted, ...change })).toThrow(sentence);
  refused({ settings: { ...wanted.settings, seed: 3 } }, /other settings \(seed 0 there, 3 here\)/);
  refused(
    { settings: { seed: 0, slopes: { lipschitz: [0.1, 0.3] } } },
    /\(slopes\.lipschitz\.1 0\.2 there, 0\.3 here\)/,
  );
  refused({ settings: { seed: 0 } }, /\(slopes \{"lipschitz":\[0\.1,0\.2\]\} there, missing here\)/);
  refused({ version: "2.0.0" }, /version '1\.0\.0' there, '2\.0\.0' here/);
  refused({ reproduction: "1d" }, /reproduction 'theory' there, '1d' here/);
  expect(readFileSync(join(path, "settings.json"), "utf8")).toBe(before);
});

it.each([
  ["another file", "notes.txt", "mine", /holds something else \(notes\.txt\)/],
  ["settings of something else", "settings.json", '{"a":1}', /not that of a reproduction/],
  ["settings that are null", "settings.json", "null", /not that of a reproduction/],
  ["settings cut short", "settings.json", '{"a', /not valid JSON/],
])("leaves a folder with %s as it is", (_, name, content, sentence) => {
  const path = mkdtempSync(join(root, "other-"));
  writeFileSync(join(path, name), content);
  expect(() => ReproductionFolder.open(path, wanted)).toThrow(sentence);
  expect(readdirSync(path)).toEqual([name]);
  expect(readFileSync(join(path, name), "utf8")).toBe(content);
});

it("refuses a file in place of the folder", () => {
  const path = join(root, "file");
  writeFileSync(path, "");
  expect(() => ReproductionFolder.open(path, wanted)).toThrow(/is a file/);
});

it("adds up the seconds over interruptions, whatever has become of their file", () => {
  const path = join(root, "times");
  ReproductionFolder.open(path, wanted).saveTime();
  writeFileSync(join(path, "time.json"), '{"seconds":100}');
  const again = ReproductionFolder.open(path, wanted);
  expect(again.seconds).toBeGreaterThanOrEqual(100);
  expect(again.seconds).toBeLessThan(150);
  writeFileSync(join(path, "time.json"), '{"sec');
  expect(ReproductionFolder.open(path, wanted).seconds).toBeLessThan(50);
});

it("keeps no part with a number that is none: as JSON it would be null, and below every limit", async () => {
  const folder = join(root, "failed-parts");
  mkdirSync(folder);
  for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const part = finishedPart(folder, "part", async () => ({ fits: [{ error: 1 }, { error: wrong }] }));
    await expect(part).rejects.toThrow("the part part of the reproduction has no number for fits.1.error");
  }
  expect(existsSync(join(folder, "part.json"))).toBe(false);
});

it("computes a finished part once", async () => {
  const folder = join(root, "parts");
  mkdirSync(folder);
  let count = 0;
  const part = () => finishedPart(folder, "part", async () => ({ numbers: [++count, 0.1] }));
  expect(await part()).toEqual({ numbers: [1, 0.1] });
  expect(await part()).toEqual({ numbers: [1, 0.1] });
  expect(count).toBe(1);
});
