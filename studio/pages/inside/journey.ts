/** Points and a grid on their way through the blocks of the model that is shown. */
import { effect, signal } from "@preact/signals";
import type { BoundsResult, Extent, PathResult } from "../../models/messages.js";
import { type Source, source } from "./source.js";

export interface Journey {
  readonly source: Source;
  readonly path: PathResult;
  readonly bounds: BoundsResult["blocks"];
  /** The first so many points are data (or samples); the grid's follow. */
  readonly data: number;
  /** Lines of the grid, as first and last point. */
  readonly lines: readonly (readonly [number, number])[];
  /** Bijections of the chain. */
  readonly length: number;
}

export const journey = signal<Journey | null>(null);
export const failure = signal<string | null>(null);

const LINES = 13;
const LINE_POINTS = 61;
/** While a model is trained, its journey is renewed with pauses of at least this and of so many times what it took. */
const PAUSE_MS = 400;
const PAUSE_TIMES = 5;

/** Asks for journeys of the model that is shown, as long as the page is; returns how to stop. */
export function follow(): () => void {
  let wanted = 0;
  const stop = effect(() => {
    const { value } = source;
    const turn = ++wanted;
    journey.value = null;
    failure.value = null;
    if (value) void repeat(value, () => turn === wanted);
  });
  return () => {
    wanted++;
    stop();
  };
}

async function repeat(model: Source, wanted: () => boolean): Promise<void> {
  let step = -1;
  try {
    while (wanted()) {
      const began = performance.now();
      if (document.visibilityState === "visible") {
        const next = await once(model);
        if (!wanted()) return;
        if (next.path.step !== step) journey.value = next;
        step = next.path.step;
      }
      if (!model.training) return;
      const pause = Math.max(PAUSE_MS, PAUSE_TIMES * (performance.now() - began));
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  } catch (error) {
    if (wanted()) failure.value = (error as Error).message;
  }
}

async function once(model: Source): Promise<Journey> {
  const { pictures } = model;
  const data = model.points ?? (await pictures.ask({ kind: "samples", count: 500, seed: 0 })).values;
  const { values, lines } = gridOf(model.extent, data.length / 2);
  const points = new Float64Array(data.length + values.length);
  points.set(data);
  points.set(values, data.length);
  const path = await pictures.ask({ kind: "path", points });
  const { blocks } = await pictures.ask({ kind: "bounds" });
  return { source: model, path, bounds: blocks, data: data.length / 2, lines, length: path.logDets.length };
}

function gridOf([xmin, xmax, ymin, ymax]: Extent, first: number) {
  const values: number[] = [];
  const lines: [number, number][] = [];
  const at = (i: number, count: number, low: number, high: number) => low + (i / (count - 1)) * (high - low);
  for (const upright of [true, false]) {
    for (let line = 0; line < LINES; line++) {
      const start = first + values.length / 2;
      for (let i = 0; i < LINE_POINTS; i++) {
        const along = upright ? at(i, LINE_POINTS, ymin, ymax) : at(i, LINE_POINTS, xmin, xmax);
        const across = upright ? at(line, LINES, xmin, xmax) : at(line, LINES, ymin, ymax);
        values.push(...(upright ? [across, along] : [along, across]));
      }
      lines.push([start, start + LINE_POINTS - 1]);
    }
  }
  return { values: Float64Array.from(values), lines };
}

/** Where all points are at a place between 0 (the data) and the number of bijections (the latents): x and y in turn. */
export function pointsAt({ path, length }: Journey, place: number): Float64Array {
  const before = Math.min(length, Math.floor(place));
  const share = place - before;
  const from = path.places[before];
  if (share === 0) return from;
  const to = path.places[before + 1];
  return from.map((value, i) => value + share * (to[i] - value));
}
