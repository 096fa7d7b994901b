import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { convertIndexedToRgb, decode } from "fast-png";
import { describe, expect, it } from "vitest";
import { FlowError } from "../errors.js";
import { Table } from "../table.js";
import {
  curveFigure,
  densityFigure,
  marginalsFigure,
  type Picture,
  renderPng,
  smooth,
  writePicture,
} from "./index.js";
import { dotsRaster, histogram2d } from "./raster.js";

const extent = [-4, 4, -2, 6] as const;
const viridis = { low: [68, 1, 84], high: [253, 231, 37] };

/** A density that is `height` in one cell of a grid and zero elsewhere. */
function spot(column: number, row: number, height: number, resolution = 20) {
  const values = new Float64Array(resolution * resolution);
  values[row * resolution + column] = height;
  return { values, resolution };
}

function normal(rows: number, columns: number): Table {
  const values = Float64Array.from({ length: rows * columns }, (_, i) => {
    // A sum of incommensurable phases: enough of a bell for a picture, the same in every run.
    return Math.sin(i * 1.3) + Math.sin(i * 2.7 + 1) + Math.sin(i * 0.71 + 2);
  });
  return new Table(rows, columns, values);
}

/** A PNG file with a palette as RGB bytes. */
function rgb(png: Uint8Array) {
  const decoded = decode(png);
  return { ...decoded, channels: 3, data: convertIndexedToRgb(decoded) };
}

function pixels(picture: Picture, scale = 1) {
  const { width, height, data } = rgb(renderPng(picture, scale));
  const at = (x: number, y: number) =>
    Array.from(data.subarray((Math.round(y) * width + Math.round(x)) * 3).subarray(0, 3));
  return { width, height, at, data };
}

function size({ svg }: Picture): [number, number] {
  const [, width, height] = /<svg[^>]* viewBox="0 0 (\S+) (\S+)"/.exec(svg) ?? [];
  return [Number(width), Number(height)];
}

/** The images of a picture in order: where they stand and their decoded pixels. */
function images({ svg }: Picture) {
  return [...svg.matchAll(/base64,([^"]+)"/g)].map(([, code]) => rgb(Buffer.from(code, "base64")));
}

/** Texts, without their markup. */
function texts({ svg }: Picture): string[] {
  return [...svg.matchAll(/<text[^>]*>([^<]*)</g)].map(([, content]) => content);
}

function codeOf(action: () => unknown): string | undefined {
  try {
    action();
  } catch (error) {
    return error instanceof FlowError ? error.code : `not a FlowError: ${error}`;
  }
  return undefined;
}

describe("densityFigure", () => {
  const hot = densityFigure({
    title: "Where it is",
    caption: "One hot spot.",
    extent,
    panels: [{ title: "model & data", density: spot(8, 0, 1, 10) }],
  });

  it("carries titles, labels and the colour bar's name", () => {
    expect(texts(hot)).toEqual(
      expect.arrayContaining([
        "Where it is",
        "One hot spot.",
        "model &amp; data",
        "x₁",
        "x₂",
        "probability density",
      ]),
    );
  });

  it("renders at the size asked for, white and opaque at its edges", () => {
    const [width, height] = size(hot);
    for (const scale of [1, 2]) {
      const png = pixels(hot, scale);
      expect([png.width, png.height]).toEqual([Math.round(width * scale), Math.round(height * scale)]);
      expect(png.at(0, 0)).toEqual([255, 255, 255]);
    }
    expect(new Set(pixels(hot).data).size).toBeGreaterThan(50);
  });

  it("shows high x, low y at the lower right", () => {
    const { at, width, height } = pixels(hot);
    const found: number[][] = [];
    // The colour bar at the right has the same yellow: search left of it.
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width - 130; x++) if (at(x, y)[0] > 200 && at(x, y)[2] < 80) found.push([x, y]);
    const mean = (i: number) => found.reduce((sum, p) => sum + p[i], 0) / found.length;
    expect(found.length).toBeGreaterThan(50);
    // The frame is 340 wide and high, 14 + 62 from the left, over the caption (14 + 22) and the x axis (46).
    expect((mean(0) - 76) / 340).toBeCloseTo(0.85, 1);
    expect((mean(1) - (height - 14 - 22 - 46 - 340)) / 340).toBeCloseTo(0.95, 1);
  });

  it("colours all panels by one scale", () => {
    const [strong, weak, bar] = images(
      densityFigure({
        extent,
        panels: [
          { title: "strong", density: spot(3, 3, 2) },
          { title: "weak", density: spot(3, 3, 1) },
        ],
      }),
    );
    const cell = ((19 - 3) * 20 + 3) * 3;
    expect([...strong.data.subarray(cell, cell + 3)]).toEqual(viridis.high);
    expect([...strong.data.subarray(0, 3)]).toEqual(viridis.low);
    expect([...weak.data.subarray(cell, cell + 3)]).toEqual([33, 145, 140]);
    // The bar's top is the largest density.
    expect([...bar.data.subarray(0, 3)]).toEqual(viridis.high);
  });

  it("draws few points as dots and many as a histogram, five panels in two rows", () => {
    const points = { title: "dots", points: normal(100, 2) };
    const dots = densityFigure({ extent, panels: [points] });
    expect(texts(dots)).not.toContain("probability density");
    const many = densityFigure({ extent, panels: [{ title: "many", points: normal(20_000, 2) }] });
    expect(texts(many)).toContain("probability density");
    const five = densityFigure({ extent, panels: Array(5).fill(points) });
    expect(size(five)[1]).toBeGreaterThan(1.8 * size(dots)[1]);
    expect(size(five)[0]).toBeLessThan(3.2 * size(dots)[0]);
  });

  it("refuses an empty list, an empty extent and arrays of the wrong size", () => {
    const panels = [{ title: "a", density: spot(0, 0, 1) }];
    expect(codeOf(() => densityFigure({ extent, panels: [] }))).toBe("usage");
    expect(codeOf(() => densityFigure({ extent: [1, 1, 0, 1], panels }))).toBe("usage");
    const density = { values: new Float64Array(5), resolution: 2 };
    expect(codeOf(() => densityFigure({ extent, panels: [{ title: "a", density }] }))).toBe("usage");
    expect(codeOf(() => densityFigure({ extent, panels: [{ title: "a", points: normal(3, 1) }] }))).toBe(
      "usage",
    );
  });
});

describe("rasters", () => {
  it("estimate a density that sums to the share of points inside", () => {
    const points = Table.from([
      [0.1, 0.1],
      [0.9, 0.1],
      [0.9, 0.1],
      [5, 5],
    ]);
    const density = histogram2d(points, [0, 1, 0, 2], 2);
    // Cells of area 1/2, row 0 at the bottom.
    expect([...density]).toEqual([0.5, 1, 0, 0]);
  });

  it("place dots with y upwards", () => {
    const cloud = { points: Table.from([[0.75, 0.25]]), columns: [0, 1] as const, colour: "#000000" };
    const { data, width } = dotsRaster([cloud], [0, 1, 0, 1], { width: 20, height: 20, most: 10, radius: 2 });
    expect(data[(30 * width + 30) * 3]).toBeLessThan(100);
    expect(data[(10 * width + 30) * 3]).toBe(255);
  });
});

describe("curveFigure", () => {
  const x = Array.from({ length: 2000 }, (_, i) => i + 1);
  const y = x.map((i) => 2.7 + 500 * Math.exp(-i / 10) + 0.1 * Math.sin(i * 1.7));
  const labels = { xLabel: "step", yLabel: "loss (nats)" };
  const loss = curveFigure({
    ...labels,
    title: "Training",
    series: [
      { name: "training", x, y, style: "faint" },
      { name: "training", ...smooth({ x, y }) },
      { name: "test", x: [1000, 2000], y: [2.8, 2.7], style: "dots" },
    ],
    rules: [{ y: 2.642, label: "entropy of the data 2.642" }],
  });

  it("carries title, labels, one legend entry a name and the rule's label", () => {
    const all = texts(loss);
    for (const label of ["Training", "step", "loss (nats)", "test", "entropy of the data 2.642"])
      expect(all).toContain(label);
    expect(all.filter((t) => t === "training")).toHaveLength(1);
    expect(new Set(pixels(loss).data).size).toBeGreaterThan(50);
  });

  it("chooses a y range after the first huge losses", () => {
    const ticks = texts(loss)
      .filter((t) => /^\d\.\d+$/.test(t))
      .map(Number);
    expect(Math.max(...ticks)).toBeLessThan(3);
    expect(Math.min(...ticks)).toBeGreaterThan(2.3);
  });

  it("smooths by medians, which an outlier does not move", () => {
    const noisy = x.map((i) => (i === 1000 ? 1e9 : i % 2));
    const { x: xs, y: ys } = smooth({ x, y: noisy }, 10);
    expect(xs).toHaveLength(10);
    expect(xs[0]).toBeCloseTo(100.5, 0);
    for (const value of ys) expect(value >= 0 && value <= 1).toBe(true);
  });

  it("leaves out what cannot be drawn, on log scales too", () => {
    const series = [{ name: "a", x: [0, 1, 10, 100], y: [1, Number.NaN, -1, 3] }];
    for (const scale of ["linear", "log"] as const) {
      const { svg } = curveFigure({ ...labels, series, xScale: scale, yScale: scale });
      expect(svg).not.toMatch(/NaN|Infinity/);
    }
  });

  it("writes numbers on log scales, not metric prefixes", () => {
    const series = [{ name: "a", x: [1, 100], y: [0.02, 3] }];
    const all = texts(curveFigure({ ...labels, series, xScale: "log", yScale: "log", yDomain: [0.02, 3] }));
    expect(all).toEqual(expect.arrayContaining(["0.02", "0.1", "1", "50", "100"]));
    expect(all.filter((text) => /[mk]$/.test(text))).toEqual([]);
  });

  it("refuses series that are empty or of two lengths", () => {
    expect(codeOf(() => curveFigure({ ...labels, series: [] }))).toBe("usage");
    expect(codeOf(() => curveFigure({ ...labels, series: [{ name: "a", x: [], y: [] }] }))).toBe("usage");
    expect(codeOf(() => curveFigure({ ...labels, series: [{ name: "a", x: [1], y: [1, 2] }] }))).toBe(
      "usage",
    );
  });
});

describe("marginalsFigure", () => {
  it("draws histograms and a density curve for one column", () => {
    const figure = marginalsFigure({
      names: ["height"],
      data: normal(500, 1),
      samples: normal(300, 1),
      density: { x: [-1, 0, 1], y: [0.2, 0.3, 0.2] },
    });
    const labels = ["height", "probability density", "data", "samples of the model", "density of the model"];
    expect(texts(figure)).toEqual(expect.arrayContaining(labels));
  });

  it("normalises histograms to densities", () => {
    const even = Table.from(Array.from({ length: 6000 }, (_, i) => [i / 6000]));
    const figure = marginalsFigure({ names: ["u"], data: even, samples: even });
    const ticks = texts(figure)
      .filter((t) => /^\d\.\d$/.test(t))
      .map(Number);
    // Both axes reach 1: values from 0 to 1, and a density of 1 over them.
    expect(Math.max(...ticks)).toBe(1);
  });

  it("draws the lower triangle for several columns, six at most", () => {
    const three = marginalsFigure({ names: ["a", "b", "c"], data: normal(200, 3), samples: normal(200, 3) });
    expect(images(three)).toHaveLength(3);
    const names = Array.from("abcdefgh");
    const eight = marginalsFigure({
      names,
      data: normal(200, 8),
      samples: normal(200, 8),
      caption: "Of a table.",
    });
    expect(images(eight)).toHaveLength(15);
    expect(texts(eight)).toContain("Of a table. The first 6 of 8 columns.");
    expect(texts(eight)).not.toContain("g");
  });

  it("draws a constant column, and refuses tables that do not match", () => {
    const flat = new Table(10, 1);
    expect(marginalsFigure({ names: ["a"], data: flat, samples: flat }).svg).not.toMatch(/NaN|Infinity/);
    expect(codeOf(() => marginalsFigure({ names: ["a"], data: flat, samples: normal(5, 2) }))).toBe("usage");
    expect(codeOf(() => marginalsFigure({ names: ["a"], data: new Table(0, 1), samples: flat }))).toBe(
      "usage",
    );
  });
});

describe("writePicture", () => {
  const picture = curveFigure({ xLabel: "x", yLabel: "y", series: [{ name: "a", x: [0, 1], y: [0, 1] }] });

  it("writes both files and nothing else", () => {
    const folder = mkdtempSync(join(tmpdir(), "plots-"));
    const files = writePicture(picture, join(folder, "figures", "line"));
    expect(files.every(existsSync)).toBe(true);
    expect(readdirSync(join(folder, "figures")).sort()).toEqual(["line.png", "line.svg"]);
    expect(readFileSync(files[0], "utf8")).toBe(picture.svg);
    expect(decode(readFileSync(files[1])).width).toBe(2 * size(picture)[0]);
    rmSync(folder, { recursive: true });
  });

  it("names the file that cannot be written", () => {
    const folder = mkdtempSync(join(tmpdir(), "plots-"));
    // A file where a folder should be: unwritable for every user.
    writeFileSync(join(folder, "taken"), "");
    const path = join(folder, "taken", "line");
    expect(codeOf(() => writePicture(picture, path))).toBe("output");
    expect(() => writePicture(picture, path)).toThrow(`cannot write ${path}.svg`);
    rmSync(folder, { recursive: true });
  });
});
