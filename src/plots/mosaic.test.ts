import { expect, it } from "vitest";
import { Table } from "../table.js";
import { type MosaicFigure, mosaicFigure } from "./mosaic.js";

const column = (title: string, cells: MosaicFigure["columns"][number]["cells"]) => ({
  title,
  extent: [-1, 1, -1, 1] as const,
  maxDensity: 1,
  cells,
});
const density = Float64Array.of(0, 1, 0.5, 0);
const points = Table.from([
  [0, 0],
  [0.5, 0.5],
]);

it("has an image for every cell, a name for every column and row", () => {
  const { svg } = mosaicFigure({
    rows: ["truth", "samples"],
    columns: [column("a", [{ density }, { points }]), column("b", [{ density }, { points }])],
  });
  expect(svg.match(/<image/g)).toHaveLength(4);
  for (const name of ["a", "b", "truth", "samples"]) expect(svg).toContain(`>${name}</text>`);
});

it("refuses cells that do not fit", () => {
  const draw = (cells: Parameters<typeof column>[1]) => () =>
    mosaicFigure({ rows: ["truth"], columns: [column("a", cells)] });
  expect(draw([{ density }, { points }])).toThrow("a has 2 cells in 1 rows");
  expect(draw([{ density: new Float64Array(3) }])).toThrow("a, truth: 3 densities make no square");
  expect(draw([{ points: new Table(0, 2) }])).toThrow("a, truth has no points of two columns");
  expect(() => mosaicFigure({ rows: [], columns: [] })).toThrow("at least one column");
});
