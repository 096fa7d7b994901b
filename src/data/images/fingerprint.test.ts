import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, expect, it } from "vitest";
import { checkFingerprint, fingerprintOf } from "./fingerprint.js";
import { idxHeader } from "./idx.js";
import { openImages } from "./open-images.js";

const folder = mkdtempSync(join(tmpdir(), "fingerprint-test-"));
afterAll(() => rmSync(folder, { recursive: true }));
const cacheDir = join(folder, "cache");
const open = (data: string) => openImages({ data, cacheDir });

const png = (path: string, value: number) =>
  sharp({ create: { width: 4, height: 4, channels: 3, background: { r: value, g: 1, b: 2 } } })
    .png()
    .toFile(path);

it("notices images of a folder that were added, taken away, replaced or changed in the cache", async () => {
  const data = join(folder, "photographs");
  mkdirSync(data);
  for (let i = 0; i < 4; i++) await png(join(data, `${i}.png`), i);
  const before = fingerprintOf(await open(data))!;
  expect(before).toMatchObject({ trainCount: 3, testCount: 1 });
  await expect(checkFingerprintOf()).resolves.toBe(undefined);

  await png(join(data, "new.png"), 50);
  await expect(checkFingerprintOf()).rejects.toThrow(
    `1 image was added to ${data} since the run was started: it had 4 images then, and has 5 now (the newest is new.png)`,
  );
  rmSync(join(data, "new.png"));
  await expect(checkFingerprintOf()).resolves.toBe(undefined);

  await png(join(data, "2.png"), 99);
  await expect(checkFingerprintOf()).rejects.toThrow(
    /images of .* have changed since the run was started, or .* \(the newest is 2\.png\)$/,
  );
  await png(join(data, "2.png"), 2);
  const source = await open(data);
  expect(() => checkFingerprint(source, before, data)).not.toThrow();
  if (source.kind !== "raw") throw new Error("no files");
  const { path, bytes } = source.train.parts[0].images;
  writeFileSync(path, new Uint8Array(bytes));
  // Whoever has opened them before sees it; who opens them now has them unpacked again.
  expect(() => checkFingerprint(source, before, data)).toThrow(/or their unpacked copies are damaged/);
  await expect(checkFingerprintOf()).resolves.toBe(undefined);

  async function checkFingerprintOf(): Promise<void> {
    checkFingerprint(await open(data), before, data);
  }
});

it("notices a changed pixel of an IDX file, whatever its time says", async () => {
  const path = join(folder, "images-idx3-ubyte");
  const bytes = Uint8Array.of(...idxHeader([5, 2, 2]), ...Array.from({ length: 20 }, (_, i) => i));
  writeFileSync(path, bytes);
  const before = fingerprintOf(await open(path))!;
  bytes[30] ^= 4;
  writeFileSync(path, bytes);
  const changed = await open(path);
  expect(() => checkFingerprint(changed, before, path)).toThrow(/have changed since the run was started/);
});

it("has none of the digits that come with the package", async () => {
  expect(fingerprintOf(await open("digits"))).toBe(null);
});
