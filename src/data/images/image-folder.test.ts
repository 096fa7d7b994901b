import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { encode } from "fast-png";
import sharp from "sharp";
import { afterAll, describe, expect, it } from "vitest";
import { FlowError } from "../../errors.js";
import { type ImageSet, imageSize } from "./image-set.js";
import { openImageData } from "./open-image-data.js";
import { type OpenImagesOptions, openImages } from "./open-images.js";

const folder = mkdtempSync(join(tmpdir(), "image-folder-test-"));
const cacheDir = join(folder, "cache");
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
      ["text.png", "no image at all", "the image cannot be decoded"],
      ["empty.jpg", "", "the image cannot be decoded"],
      ["cut.png", good.subarray(0, good.length - 30), "the image cannot be decoded"],
      ["cut.jpg", photo.subarray(0, photo.length - 100), "the image cannot be decoded"],
      ["flat.png", gif, "a file of format gif, not PNG or JPEG"],
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

  it("leaves the files as they are", async () => {
    const dir = place({ "a.png": png(1, 1), "b.png": png(1, 2) });
    await open({ data: dir });
    expect(readdirSync(dir)).toEqual(["a.png", "b.png"]);
    expect(new Uint8Array(readFileSync(join(dir, "a.png")))).toEqual(new Uint8Array(png(1, 1)));
  });
});
