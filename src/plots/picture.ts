/**
 * Pictures are SVG documents: Observable Plot draws each panel on a linkedom document (no browser),
 * `compose` lays the panels out under one title. Sizes are CSS pixels. Text is dark on an opaque
 * white page, so a picture reads the same on light and dark backgrounds.
 */
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";

export interface Picture {
  /** A complete, self-contained SVG document. */
  readonly svg: string;
  /** Its PNG keeps every colour, where others have at most 256: for photographs. */
  readonly trueColour?: boolean | undefined;
}

/** A node of the linkedom document. */
type SvgNode = ReturnType<typeof document.createElementNS>;

/** One drawn panel, before it is placed. */
export interface Panel {
  readonly nodes: readonly SvgNode[];
  readonly width: number;
  readonly height: number;
  /** Where the middle of the frame is, from the left edge of the panel; its title stands over it. */
  readonly middle: number;
  readonly title?: string | undefined;
}

export type PanelOptions = Plot.PlotOptions & {
  width: number;
  height: number;
  marginLeft: number;
  marginRight: number;
};

/** One entry of the legend: a dot, a ring, a line or a filled square before its name. */
export interface KeyEntry {
  readonly name: string;
  readonly colour: string;
  readonly mark: "dot" | "ring" | "line" | "area";
}

export interface Composition {
  readonly rows: readonly (readonly Panel[])[];
  readonly title?: string | undefined;
  /** Small text under the panels, wrapped to the width of the picture. */
  readonly caption?: string | undefined;
  readonly key?: readonly KeyEntry[] | undefined;
}

/** The colour-blind safe palette of Okabe and Ito, the two strongest contrasts first. */
export const palette = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

export const ink = "#222222";
const FONT = { family: "DejaVu Sans, Verdana, sans-serif", size: 15 };
const EDGE = 14;
const GAP = 14;

const { document } = parseHTML("<html></html>");

/** About how wide a text is: no browser is there to measure it. */
export function widthOf(content: string, size: number): number {
  const ems = Array.from(content, (c) =>
    /[fijlrt.,:;'|() ]/.test(c) ? 0.36 : /[mwMW—…]/.test(c) ? 0.95 : 0.64,
  );
  return size * ems.reduce((sum, em) => sum + em, 0);
}

function element(
  name: string,
  attributes: Record<string, string | number>,
  ...children: (SvgNode | string)[]
) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
  node.append(...children);
  return node;
}

/** A line of text; a font size is lowered where the text would not fit `room` pixels. */
function text(content: string, x: number, y: number, size: number, room: number, more = {}) {
  const fitted = Math.min(size, (size * room) / widthOf(content, size));
  return element("text", { x, y, "font-size": fitted, fill: ink, ...more }, content);
}

/** Short names for ticks ("−20K", "5E−6") where numbers of `most` or more, or all below 1/1000, need them. */
export function shortTicks([low, high]: readonly number[], most: number): Plot.ScaleOptions {
  const largest = Math.max(Math.abs(low), Math.abs(high));
  if (largest >= 1e-3 && largest < most) return {};
  const notation = largest < 1e-3 ? "scientific" : "compact";
  const { format } = new Intl.NumberFormat("en", { notation, maximumSignificantDigits: 6 });
  return { tickFormat: (tick: number) => (tick === 0 ? "0" : format(tick).replaceAll("-", "−")) };
}

/** Draws one panel with Observable Plot: axes with centred labels, dark ink. */
export function panel(options: PanelOptions, title?: string): Panel {
  const axis = ({ domain, type }: Plot.ScaleOptions = {}): Plot.ScaleOptions => ({
    labelAnchor: "center",
    labelArrow: "none",
    ...(domain && type !== "log" ? shortTicks([...domain] as number[], 1e5) : {}),
  });
  const drawn = Plot.plot({
    ...options,
    x: { ...axis(options.x), ...options.x },
    y: { ...axis(options.y), ...options.y },
    document,
  });
  // Plot's style sheet only serves pages, and its selectors puzzle other SVG readers.
  drawn.querySelector("style")?.remove();
  const { width, height, marginLeft, marginRight } = options;
  return {
    nodes: [...drawn.childNodes] as SvgNode[],
    width,
    height,
    middle: (marginLeft + width - marginRight) / 2,
    title,
  };
}

/** Lays panels out row by row: title, legend, panels under their own titles, caption. */
export function compose({ rows, title, caption, key = [] }: Composition): Picture {
  const columns = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, c) =>
    Math.max(...rows.flatMap((row) => row[c]?.width ?? [])),
  );
  const width = widths.reduce((sum, w) => sum + w, 2 * EDGE + GAP * (columns - 1));
  const room = width - 2 * EDGE;
  const nodes: SvgNode[] = [];
  let y = EDGE;

  if (title) {
    // Bold letters are about an eighth wider.
    nodes.push(text(title, EDGE, y + 18, 20, (room * 8) / 9, { "font-weight": "bold" }));
    y += 34;
  }
  if (key.length > 0) {
    let x = EDGE;
    for (const entry of key) {
      const needed = 30 + widthOf(entry.name, FONT.size);
      if (x > EDGE && x + needed > width) {
        x = EDGE;
        y += 24;
      }
      nodes.push(...keyEntry(entry, x, y + 8, room));
      x += needed + 22;
    }
    y += 30;
  }
  rows.forEach((row, r) => {
    let x = EDGE;
    if (row.some((p) => p.title)) y += r === 0 ? 26 : 36;
    row.forEach((p, c) => {
      if (p.title) {
        const middle = x + p.middle;
        const space = 2 * Math.min(p.middle, p.width - p.middle) + GAP;
        nodes.push(text(p.title, middle, y - 6, 17, space, { "text-anchor": "middle" }));
      }
      nodes.push(element("g", { transform: `translate(${x},${y})`, "text-anchor": "middle" }, ...p.nodes));
      x += widths[c] + GAP;
    });
    y += Math.max(...row.map((p) => p.height));
  });
  for (const line of caption ? wrap(caption, 14, room) : []) {
    y += 22;
    nodes.push(element("text", { x: EDGE, y, "font-size": 14, fill: "#555555" }, line));
  }
  const height = Math.ceil(y + EDGE);
  const root = element(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      "font-family": FONT.family,
      "font-size": FONT.size,
      fill: "currentColor",
      color: ink,
    },
    element("rect", { width, height, fill: "white" }),
    ...nodes,
  );
  return { svg: root.toString() };
}

function keyEntry({ name, colour, mark }: KeyEntry, x: number, y: number, room: number): SvgNode[] {
  const symbol = {
    dot: () => element("circle", { cx: x + 11, cy: y, r: 5, fill: colour }),
    ring: () =>
      element("circle", { cx: x + 11, cy: y, r: 5, fill: "none", stroke: colour, "stroke-width": 1.8 }),
    line: () => element("rect", { x, y: y - 1.5, width: 22, height: 3, fill: colour }),
    area: () => element("rect", { x: x + 4, y: y - 7, width: 14, height: 14, fill: colour }),
  }[mark]();
  return [symbol, text(name, x + 30, y + 5, FONT.size, room - 30)];
}

/** Splits text between words into lines that fit `room` pixels. */
function wrap(content: string, size: number, room: number): string[] {
  const lines = [""];
  for (const word of content.split(/\s+/)) {
    const line = `${lines[lines.length - 1]} ${word}`.trim();
    if (widthOf(line, size) <= room || !lines[lines.length - 1]) lines[lines.length - 1] = line;
    else lines.push(word);
  }
  return lines;
}
