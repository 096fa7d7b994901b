import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { cached, cacheFolder, fileSource } from "./cache.js";
import { withWriter } from "./raw-writer.js";

const folder = mkdtempSync(join(tmpdir(), "cache-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

let caches = 0;
const newCache = () => join(folder, `cache ${caches++}`);
const source = { path: "/images/some.gz", state: "1 2" };

/** Unpacks one file of five bytes. */
async function unpack(to: string): Promise<{ count: number }> {
  await withWriter(join(to, "raw"), (writer) => writer.write(new Uint8Array(5)));
  return { count: 5 };
}

function flipBit(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] ^= 1;
  writeFileSync(path, bytes);
}

describe("cached", () => {
  it("unpacks once, and again when the source, the form or the files have changed", async () => {
    const cacheDir = newCache();
    const run = vi.fn(unpack);
    const first = await cached(source, "form", { cacheDir }, run);
    expect(first.content).toEqual({ count: 5 });
    expect(await cached(source, "form", { cacheDir }, run)).toEqual(first);
    expect(run).toHaveBeenCalledTimes(1);

    const formed = await cached(source, "other form", { cacheDir }, run);
    const now = { ...source, state: "1 3" };
    const changed = await cached(now, "form", { cacheDir }, run);
    expect(new Set([first.folder, changed.folder, formed.folder]).size).toBe(3);
    expect(run).toHaveBeenCalledTimes(3);

    for (const harm of [
      () => truncateSync(join(changed.folder, "raw"), 3),
      () => rmSync(join(changed.folder, "raw")),
      () => writeFileSync(join(changed.folder, "entry.json"), "{"),
      // One bit: of the images, and of what is known of them.
      () => flipBit(join(changed.folder, "raw"), 3),
      () =>
        flipBit(
          join(changed.folder, "entry.json"),
          readFileSync(join(changed.folder, "entry.json")).indexOf("5}"),
        ),
    ]) {
      run.mockClear();
      harm();
      expect(await cached(now, "form", { cacheDir }, run)).toEqual(changed);
      expect(run).toHaveBeenCalledTimes(1);
      expect(readdirSync(changed.folder).sort()).toEqual(["entry.json", "raw"]);
    }
  });

  it("lets two that unpack the same at the same time both go on", async () => {
    const cacheDir = newCache();
    const results = await Promise.all([1, 2, 3].map(() => cached(source, "form", { cacheDir }, unpack)));
    expect(new Set(results.map(({ folder }) => folder)).size).toBe(1);
    expect(readdirSync(cacheDir)).toHaveLength(1);
  });

  it("leaves nothing of what failed, not even the folders it made", async () => {
    const cacheDir = newCache();
    const failing = async (to: string) => {
      await unpack(to);
      throw new Error("half way");
    };
    await expect(cached(source, "form", { cacheDir }, failing)).rejects.toThrow("half way");
    expect(existsSync(cacheDir)).toBe(false);
  });

  it("removes what killed processes have left, and nothing else", async () => {
    const cacheDir = newCache();
    const dead = `a.${hostname()}.999999999.abc.partial`;
    const alive = `b.${hostname()}.${process.pid}.abc.partial`;
    const elsewhere = "c.another-host.999999999.abc.partial";
    const old = "d.another-host.1.abc.partial";
    for (const name of [dead, alive, elsewhere, old, "e"])
      mkdirSync(join(cacheDir, name), { recursive: true });
    utimesSync(join(cacheDir, old), 1, 1);
    const { folder: made } = await cached(source, "form", { cacheDir }, unpack);
    expect(
      readdirSync(cacheDir)
        .map((name) => join(cacheDir, name))
        .sort(),
    ).toEqual(
      [alive, elsewhere, "e"]
        .map((name) => join(cacheDir, name))
        .concat(made)
        .sort(),
    );
  });

  it("removes the states of a source before its last change, in whatever form, and nothing of other sources", async () => {
    const cacheDir = newCache();
    const keep = (path: string, state: string, form: string) =>
      cached({ path, state }, form, { cacheDir }, unpack).then(({ folder }) => folder);
    const old = [await keep("a", "1", "form"), await keep("a", "1", "other form")];
    const others = [await keep("b", "1", "form"), await keep("aa", "1", "form")];
    expect([...old, ...others].every(existsSync)).toBe(true);
    const changed = [await keep("a", "2", "form"), await keep("a", "2", "other form")];
    expect(old.filter(existsSync)).toEqual([]);
    expect([...others, ...changed].filter(existsSync)).toHaveLength(4);
  });

  it("removes what has not been used for 30 days, when something is unpacked", async () => {
    const cacheDir = newCache();
    const keep = (path: string) =>
      cached({ path, state: "1" }, "form", { cacheDir }, unpack).then(({ folder }) => folder);
    const paths = ["unused", "used again", "used lately"];
    const folders = [];
    for (const path of paths) folders.push(await keep(path));
    const day = 24 * 3600;
    for (const [i, days] of [31, 31, 29].entries()) {
      const then = Date.now() / 1000 - days * day;
      utimesSync(join(folders[i], "entry.json"), then, then);
    }
    await keep("used again");
    expect(folders.every(existsSync)).toBe(true);
    await keep("new");
    expect(folders.map(existsSync)).toEqual([false, true, true]);
  });

  it("says where it cannot write, and which setting helps", async () => {
    const file = join(folder, "a file");
    writeFileSync(file, "");
    await expect(cached(source, "form", { cacheDir: join(file, "x") }, unpack)).rejects.toMatchObject({
      code: "output",
      message: expect.stringMatching(/^cannot write .*a file.*MONOTONE_FLOWS_CACHE names another folder/),
    });
  });

  // A device that is always full.
  it.runIf(existsSync("/dev/full"))("says that the disk is full", async () => {
    await expect(withWriter("/dev/full", (writer) => writer.write(new Uint8Array(5)))).rejects.toMatchObject({
      code: "output",
      message: expect.stringContaining("cannot write /dev/full: the disk is full; MONOTONE_FLOWS_CACHE"),
    });
  });
});

describe("cacheFolder", () => {
  afterEach(() => vi.unstubAllEnvs());

  it("is the option, the environment's, or one in the user's cache directory", () => {
    vi.stubEnv("MONOTONE_FLOWS_CACHE", join(folder, "from environment"));
    expect(cacheFolder({ cacheDir: join(folder, "option") })).toBe(join(folder, "option"));
    expect(cacheFolder()).toBe(join(folder, "from environment"));
    vi.stubEnv("MONOTONE_FLOWS_CACHE", "");
    expect(cacheFolder()).toMatch(/monotone-flows.images$/);
  });
});

describe("fileSource", () => {
  it("tells apart files that differ in size or time", () => {
    const path = join(folder, "source");
    writeFileSync(path, "abc");
    utimesSync(path, 10, 10);
    const first = fileSource(path);
    expect(fileSource(path)).toEqual(first);
    utimesSync(path, 10, 11);
    expect(fileSource(path)).not.toEqual(first);
    writeFileSync(path, "abcd");
    utimesSync(path, 10, 10);
    expect(fileSource(path)).not.toEqual(first);
    expect(() => fileSource(join(folder, "nothing"))).toThrow("there is no such file");
  });
});
