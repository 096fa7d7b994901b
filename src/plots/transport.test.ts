import { expect, it } from "vitest";
import { Table } from "../table.js";
import { transportFigure } from "./transport.js";

const extent = [-2, 2, -2, 2] as const;
const points = Table.from([[0, 0]]);

/** A line of so many places from (-1, y) to (1, y), bent by `height` in its middle. */
function line(y: number, height: number, places = 41): Table {
  const at = (i: number) => (2 * i) / (places - 1) - 1;
  return Table.from(
    Array.from({ length: places }, (_, i) => [at(i), y + height * (1 - Math.abs(at(i)))] as const),
  );
}

const stage = (title: string, lines: Table[]) => ({ title, lines, points });

/** Corners of all open paths: the ticks of the axes come first, then the lines. */
const corners = (svg: string) =>
  [...svg.matchAll(/<path[^>]* d="(M[^"Z]*)"/g)].map(([, d]) => d.split("L").length).filter((n) => n > 1);

it("keeps of a line only what bends it", () => {
  const { svg } = transportFigure({
    extent,
    rows: [{ title: "map", stages: [stage("x", [line(0, 0), line(0, 1)])] }],
  });
  expect(corners(svg).slice(-2)).toEqual([2, 3]);
});

it("has a panel for every stage, titles over the first row, and circles in the last stage", () => {
  const stages = [stage("x", [line(0, 0)]), stage("z", [line(0, 1)])];
  const { svg } = transportFigure({
    extent,
    circles: [1],
    rows: [
      { title: "one", stages },
      { title: "two", stages },
    ],
  });
  expect(svg.match(/<image/g)).toHaveLength(4);
  expect(svg.match(/stroke-dasharray/g)).toHaveLength(2);
  for (const name of ["one", "two", "x", "z"]) expect(svg.split(`>${name}</text>`)).toHaveLength(2);
});

it("refuses rows without stages and stages without lines", () => {
  expect(() => transportFigure({ extent, rows: [] })).toThrow("at least one row");
  expect(() => transportFigure({ extent, rows: [{ title: "map", stages: [] }] })).toThrow(
    "map has no stages",
  );
  const empty = { title: "map", stages: [stage("x", [])] };
  expect(() => transportFigure({ extent, rows: [empty] })).toThrow('the stage "x" has no lines');
});
