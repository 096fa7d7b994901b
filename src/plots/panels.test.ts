import { parseHTML } from "linkedom";
import { expect, it } from "vitest";
import { type Mark, type PlanePanel, panelsFigure } from "./panels.js";
import { renderPng } from "./png.js";

const panel = (marks: Mark[], more: Partial<PlanePanel> = {}): PlanePanel => ({
  xLabel: "across",
  yLabel: "up",
  xDomain: [0, 4],
  yDomain: [0, 2],
  marks,
  ...more,
});
const parse = (svg: string) => parseHTML(`<html>${svg}</html>`).document;
const texts = (svg: string) => [...parse(svg).querySelectorAll("text")].map((t) => t.textContent);

it("gives a unit of y the length of one of x where the aspect is equal", () => {
  const svg = (height: number | "equal") => panelsFigure({ rows: [[panel([])]], width: 400, height }).svg;
  const frame = parse(svg("equal")).querySelector('[aria-label="frame"]');
  // Plot insets nothing: the frame is the panel without its margins.
  expect(Number(frame?.getAttribute("width")) / Number(frame?.getAttribute("height"))).toBeCloseTo(2, 6);
  expect(svg(300)).not.toBe(svg("equal"));
});

it("draws every kind of mark, in the given colours, over labelled axes", () => {
  const x = [0, 1, 2];
  const marks: Mark[] = [
    { kind: "region", x, y: [0, 1, 0], colour: "#000001" },
    { kind: "band", x, low: x, high: [1, 2, 3], colour: "#000002" },
    { kind: "line", x, y: [1, Number.NaN, 1], colour: "#000003", dashed: true },
    { kind: "bars", x, low: [0, 0, 0], high: x, colour: "#000004" },
    { kind: "dots", x, y: x, colour: "#000005" },
    { kind: "dots", x, y: x, colour: "#000006", hollow: true },
    { kind: "label", x: 1, y: 1, text: "here", colour: "#000007" },
  ];
  const { svg } = panelsFigure({
    rows: [[panel(marks, { title: "Panel" }), panel([])]],
    width: 200,
    height: 100,
    key: [{ name: "ringed", colour: "#000008", mark: "ring" }],
  });
  for (let i = 1; i <= 8; i++) expect(svg).toContain(`#00000${i}`);
  for (const text of ["across", "up", "Panel", "here", "ringed"]) expect(texts(svg)).toContain(text);
  expect(renderPng({ svg }).length).toBeGreaterThan(1000);
});

it("labels a logarithmic axis at powers of ten, or at 1, 2 and 5 times them on a short one", () => {
  const labels = (yDomain: readonly [number, number]) =>
    texts(panelsFigure({ rows: [[panel([], { yScale: "log", yDomain })]], width: 200, height: 200 }).svg);
  expect(labels([0.1, 10])).toEqual(expect.arrayContaining(["0.1", "0.2", "0.5", "1", "2", "5", "10"]));
  expect(labels([1e-4, 1])).toEqual(expect.arrayContaining(["10⁻⁴", "10⁻¹", "10⁰"]));
  expect(labels([1e-20, 1]).length).toBeLessThan(20);
});

it("puts values on a logarithmic axis where they belong", () => {
  const dots: Mark = { kind: "dots", x: [1, 2, 3], y: [1, 10, 100], colour: "#000001" };
  const { svg } = panelsFigure({
    rows: [[panel([dots], { yScale: "log", yDomain: [1, 100] })]],
    width: 200,
    height: 200,
  });
  const heights = [...parse(svg).querySelectorAll("circle")].map((c) => Number(c.getAttribute("cy")));
  expect(heights[0] - heights[1]).toBeCloseTo(100, 6);
  expect(heights[1] - heights[2]).toBeCloseTo(100, 6);
});

it("says what cannot be drawn", () => {
  const draw = (p: PlanePanel) => () => panelsFigure({ rows: [[p]], width: 100, height: 100 });
  expect(draw(panel([], { xDomain: [1, 1], title: "flat" }))).toThrow(/"flat" has an empty domain/);
  expect(draw(panel([{ kind: "line", x: [1, 2], y: [1], colour: "#000" }]))).toThrow(
    /a line of 2 x and 1 y values/,
  );
});
