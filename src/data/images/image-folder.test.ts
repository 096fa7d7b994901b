import { execFileSync } from "node:child_process";
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { encode } from "fast-png";
import sharp from "sharp";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { FlowError } from "../../errors.js";
import { type ImageSet, imageSize } from "./image-set.js";
import { openImageData } from "./open-image-data.js";
import { type OpenImagesOptions, openImages } from "./open-images.js";

const folder = mkdtempSync(join(tmpdir(), "image-folder-test-"));
const cacheDir = join(folder, "cache");
afterEach(() => vi.unstubAllEnvs());
afterAll(() => rmSync(folder, { recursive: true }));

let folders = 0;
function place(files: Record<string, Uint8Array | string>): string {
  const dir = join(folder, String(folders++));
  mkdirSync(dir);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), content);
  }
  return dir;
}

const WIDTH = 5;
const HEIGHT = 3;
/** Interleaved values, as PNG holds them. */
const values = (channels: number, seed: number, size = WIDTH * HEIGHT) =>
  Uint8Array.from({ length: channels * size }, (_, i) => (seed * 53 + i * 17) & 255);
const png = (channels: number, seed: number, width = WIDTH, height = HEIGHT) =>
  encode({ width, height, channels, depth: 8, data: values(channels, seed, width * height) });
const jpeg = (channels: 1 | 3, value: number, width = WIDTH, height = HEIGHT) =>
  sharp(new Uint8Array(width * height * channels).fill(value), { raw: { width, height, channels } })
    .jpeg({ quality: 100 })
    .toBuffer();
/** [channel][y][x] of interleaved values, without alpha; grey ones for each channel. */
const planes = (data: Uint8Array, stored: number, channels: number) => {
  const size = data.length / stored;
  return Uint8Array.from({ length: size * channels }, (_, i) => {
    const from = stored < 3 ? 0 : Math.floor(i / size);
    return data[(i % size) * stored + from];
  });
};

function images(set: ImageSet): Uint8Array[] {
  return Array.from({ length: set.count }, (_, i) => {
    const out = new Uint8Array(imageSize(set.shape));
    set.read(i, out);
    return out;
  });
}

async function open(options: OpenImagesOptions) {
  const source = await openImages({ cacheDir, ...options });
  return { source, ...openImageData(source) };
}

async function failure(data: string): Promise<string> {
  const error = await openImages({ cacheDir, data }).then(
    () => null,
    (error) => error,
  );
  if (!(error instanceof FlowError)) throw error ?? new Error("no error");
  return `${error.code}: ${error.message}`;
}

const sorted = (list: Uint8Array[]) => list.map((bytes) => bytes.join(" ")).sort();

describe("a folder of images", () => {
  it("is split at random, the same way for the same seed", async () => {
    const names = Array.from({ length: 20 }, (_, i) => `image ${i}.png`);
    const dir = place(Object.fromEntries(names.map((name, i) => [name, png(3, i)])));
    const { source, train, test } = await open({ data: dir });
    expect(source).toMatchObject({ levels: 256, shape: { channels: 3, height: HEIGHT, width: WIDTH } });
    expect([train.count, test.count]).toEqual([18, 2]);
    expect(sorted([...images(train), ...images(test)])).toEqual(
      sorted(names.map((_, i) => planes(values(3, i), 3, 3))),
    );
    expect(await openImages({ data: dir, cacheDir })).toEqual(source);
    expect(images((await open({ data: dir, seed: 1 })).test)).not.toEqual(images(test));
    expect((await open({ data: dir, testFraction: 0.5 })).test.count).toBe(10);
  });

  it("takes a split into folders train and test, with the folders in them, by the order of names", async () => {
    const { train, test } = await open({
      data: place({
        "train/b/2.png": png(1, 2),
        "train/b/10.PNG": png(1, 10),
        "train/a/3.png": png(1, 3),
        "train/.hidden/9.png": "no image",
        "train/b/._2.png": "no image",
        "train/notes.txt": "no image",
        "test/1.png": png(1, 1),
      }),
    });
    expect(train.shape.channels).toBe(1);
    expect(images(train)).toEqual([3, 10, 2].map((seed) => values(1, seed)));
    expect(images(test)).toEqual([values(1, 1)]);
  });

  it("drops alpha, and gives grey images three channels where others have colours", async () => {
    const { train, test } = await open({
      data: place({
        "train/1 grey.png": png(1, 1),
        "train/2 grey and alpha.png": png(2, 2),
        "train/3 colours.png": png(3, 3),
        "train/4 colours and alpha.png": png(4, 4),
        "train/5 grey.jpg": await jpeg(1, 70),
        "test/colours.jpeg": await jpeg(3, 130),
      }),
    });
    const expected = [1, 2, 3, 4].map((stored) => planes(values(stored, stored), stored, 3));
    expect(images(train)).toEqual([...expected, new Uint8Array(45).fill(70)]);
    for (const value of images(test)[0]) expect(Math.abs(value - 130)).toBeLessThan(3);
  });

  it("reads PNG with a palette and with few bits", async () => {
    const raw = { width: WIDTH, height: HEIGHT, channels: 3 as const };
    const two = Uint8Array.from({ length: 45 }, (_, i) => [255 * (i & 1), 255 * ((i >> 1) & 1), 255][i % 3]);
    const palette = await sharp(two, { raw }).png({ palette: true, colours: 4 }).toBuffer();
    expect((await sharp(palette).metadata()).bitsPerSample).toBeLessThan(8);
    const { train } = await open({ data: place({ "train/1.png": palette, "test/1.png": png(3, 1) }) });
    expect(images(train)[0]).toEqual(planes(two, 3, 3));
  });

  it("decodes again what has changed", async () => {
    const dir = place({ "train/1.png": png(1, 1), "test/1.png": png(1, 2) });
    await open({ data: dir });
    writeFileSync(join(dir, "train/2.png"), png(1, 3));
    expect(images((await open({ data: dir })).train)).toEqual([values(1, 1), values(1, 3)]);
  });

  it("names two files of different sizes", async () => {
    const dir = place({
      "a.png": png(3, 1),
      "b.png": png(3, 1),
      "c.png": png(3, 1, 4, 6),
      "d.png": png(3, 2),
    });
    expect(await failure(dir)).toBe(
      `input: ${join(dir, "c.png")} has 4 x 6 pixels, ${join(dir, "a.png")} has 5 x 3; all images must have one size`,
    );
    const split = place({ "train/a.png": png(3, 1), "test/b.png": png(3, 1, 6, 6) });
    expect(await failure(split)).toMatch(
      /test has images of 6 x 6 pixels, 3 channels, .*train of 5 x 3 pixels/,
    );
  });

  it("names files that are not images of 8 bits", async () => {
    const wide = encode({ width: 5, height: 3, channels: 1, depth: 16, data: new Uint16Array(15).fill(300) });
    const good = png(1, 1, 40, 40);
    const photo = await jpeg(3, 130, 40, 40);
    const gif = await sharp(photo).gif().toBuffer();
    const cases: [string, Uint8Array | string, string][] = [
      ["wide.png", wide, "16 bits a channel, but pixels of 8 bits, 0 to 255, are needed"],
      ["text.png", "no image at all", "this is no PNG or JPEG file"],
      ["empty.jpg", "", "the file is empty"],
      ["cut.png", good.subarray(0, good.length - 30), "the image cannot be decoded"],
      ["cut.jpg", photo.subarray(0, photo.length - 100), "the image cannot be decoded"],
      ["flat.png", gif, "this is no PNG or JPEG file"],
    ];
    for (const [name, bytes, message] of cases) {
      const dir = place({ [name]: bytes });
      expect(await failure(dir)).toContain(`input: ${join(dir, name)}: ${message}`);
    }
    expect(readdirSync(cacheDir).filter((name) => name.endsWith(".partial"))).toEqual([]);
  });

  it("names a folder without images, and one with a single image", async () => {
    const empty = place({ "notes.txt": "" });
    expect(await failure(empty)).toBe(`input: ${empty}: there are no PNG or JPEG files in this folder`);
    expect(await failure(place({ "a.png": png(1, 1) }))).toContain("one image only; at least 2 are needed");
  });

  it.skipIf(process.platform === "win32")("takes once what several names lead to, and says so", async () => {
    const dir = place({ "a/1.png": png(1, 1), "a/2.png": png(1, 2), "b.png": png(1, 3), "notes.txt": "" });
    symlinkSync(".", join(dir, "0 itself"));
    symlinkSync("..", join(dir, "a/above"));
    symlinkSync("a", join(dir, "again"));
    symlinkSync("a/1.png", join(dir, "a link.png"));
    linkSync(join(dir, "b.png"), join(dir, "hard.png"));
    symlinkSync("nowhere.txt", join(dir, "nowhere.txt"));
    const inside = join(folder, "linked inside");
    mkdirSync(inside);
    symlinkSync(dir, join(inside, "elsewhere"));
    for (const data of [dir, inside]) {
      const { source, train, test } = await open({ data });
      expect(sorted([...images(train), ...images(test)])).toEqual(
        sorted([1, 2, 3].map((seed) => values(1, seed))),
      );
      expect(source.remarks).toEqual([
        `${data}: 5 of the names lead to files or folders that are there already; each is taken once.`,
      ]);
    }
    // The cache keeps what was found, and so what is said of it.
    expect((await open({ data: dir, testFraction: 1 })).test.count).toBe(3);
  });

  it("takes copies once, none for tests that is trained on, and says so", async () => {
    const [grey, again] = [
      png(1, 1),
      await sharp(png(1, 1)).toColourspace("b-w").png({ compressionLevel: 0 }).toBuffer(),
    ];
    expect(again.equals(grey)).toBe(false);
    const dir = place({
      "1.png": grey,
      "2.png": again,
      "3.png": png(1, 2),
      "4.png": png(1, 3),
      "5.png": grey,
    });
    const { source, train, test } = await open({ data: dir });
    expect(sorted([...images(train), ...images(test)])).toEqual(
      sorted([1, 2, 3].map((seed) => values(1, seed))),
    );
    expect(source.remarks).toEqual([
      `${dir}: 2 of the images have the pixels of another one; of copies one is taken.`,
    ]);
    // To be judged, every file has its number.
    expect((await open({ data: dir, testFraction: 1 })).test.count).toBe(5);

    const parts = {
      "train/1.png": grey,
      "train/2.png": png(1, 2),
      "test/a.png": again,
      "test/b.png": png(1, 3),
    };
    const split = place(parts);
    for (let time = 0; time < 2; time++) {
      const opened = await open({ data: split });
      expect([images(opened.train), images(opened.test)]).toEqual([
        [values(1, 1), values(1, 2)],
        [values(1, 3)],
      ]);
      expect(opened.source.remarks).toEqual([
        `${join(split, "test")}: 1 of the images are in ${join(split, "train")}, too, and are left out.`,
      ]);
    }
    writeFileSync(join(split, "train/2.png"), png(1, 3));
    expect(await failure(split)).toContain("test: all images are copies of images in");
  });

  it.skipIf(process.platform === "win32")(
    "names links to nowhere, pipes and names that are not UTF-8",
    async () => {
      const dangling = place({ "1.png": png(1, 1) });
      symlinkSync("nowhere.png", join(dangling, "2.png"));
      expect(await failure(dangling)).toBe(
        `input: cannot read ${join(dangling, "2.png")}: it is a link that leads nowhere`,
      );
      const circle = place({ "1.png": png(1, 1) });
      symlinkSync("2.png", join(circle, "2.png"));
      expect(await failure(circle)).toContain("2.png: it is a link that leads nowhere");
      const pipe = place({ "1.png": png(1, 1) });
      execFileSync("mkfifo", [join(pipe, "2.png")]);
      expect(await failure(pipe)).toContain("2.png: a pipe, socket or device, not a file");
      const named = place({ "1.png": png(1, 1) });
      writeFileSync(
        Buffer.concat([Buffer.from(join(named, "caf")), Buffer.of(0xe9), Buffer.from(".png")]),
        "",
      );
      expect(await failure(named)).toBe(
        `input: ${named}: the name of 'caf\ufffd.png' is not UTF-8, so it cannot be opened; rename it`,
      );
    },
  );

  it("decodes no image that is larger than allowed, and no more than there is room for", async () => {
    // 292 bytes of header that promise 25 million pixels.
    const huge = await sharp({ create: { width: 5000, height: 5000, channels: 3, background: "red" } })
      .png({ palette: true })
      .toBuffer();
    expect(await failure(place({ "1.png": huge }))).toMatch(
      /1\.png: 5000 x 5000 pixels, where an image may have at most 1048576 pixels; MONOTONE_FLOWS_MAX_PIXELS raises/,
    );
    const dir = place({ "1.png": png(3, 1), "2.png": png(3, 2) });
    vi.stubEnv("MONOTONE_FLOWS_MAX_IMAGES_MB", "0.00008");
    expect(await failure(dir)).toBe(
      `input: ${dir}: 2 images of 90 bytes, where the images of a file or folder may have at most 0.00008 MB; MONOTONE_FLOWS_MAX_IMAGES_MB raises this limit`,
    );
    vi.stubEnv("MONOTONE_FLOWS_MAX_PIXELS", "14");
    expect(await failure(dir)).toContain("1.png: 5 x 3 pixels, where");
    vi.unstubAllEnvs();
    expect(readdirSync(cacheDir).filter((name) => name.endsWith(".partial"))).toEqual([]);
    expect((await open({ data: dir })).train.count).toBe(1);
  });

  it("leaves the files as they are", async () => {
    const dir = place({ "a.png": png(1, 1), "b.png": png(1, 2) });
    await open({ data: dir });
    expect(readdirSync(dir)).toEqual(["a.png", "b.png"]);
    expect(new Uint8Array(readFileSync(join(dir, "a.png")))).toEqual(new Uint8Array(png(1, 1)));
  });
});
