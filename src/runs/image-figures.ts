/** The pictures of image flows: sheets of samples, reconstructions, and paths in latent space. */

import { pixelTable } from "../data/images/pixels.js";
import { FailedRows } from "../flows/failed-rows.js";
import type { Flow } from "../flows/flow.js";
import type { FlowMaps } from "../flows/flow-maps.js";
import { imageSheet, type Picture, writePicture } from "../plots/index.js";
import { Table } from "../table.js";
import { missing } from "./figures.js";

const SAMPLES = 64;

type Image = NonNullable<Flow["declaration"]["image"]>;

export function sheetOf(
  rows: Table,
  image: Image,
  options: { columns?: number; rowLabels?: string[]; title?: string; caption?: string } = {},
): Picture {
  return imageSheet({
    images: pixelTable(rows, image.levels).values,
    shape: image,
    levels: image.levels,
    ...options,
  });
}

/** Draws samples of a flow into a PNG and an SVG; those that fail are grey. Returns in words how many these are, if any. */
export async function writeSamples(
  flow: Flow,
  seed: number,
  path: string,
  title: string,
  caption?: string,
): Promise<string> {
  const failures = new FailedRows();
  const samples = await flow.sample(SAMPLES, { seed, failures });
  const lack = missing([["sample", failures]]);
  const text = [caption, lack].filter(Boolean).join(". ");
  writePicture(sheetOf(samples, imageOf(flow), { title, ...(text ? { caption: text } : {}) }), path);
  return lack;
}

/** What the rows of an image flow are. */
export function imageOf(flow: Flow): Image {
  const { image } = flow.declaration;
  if (!image) throw new Error("this flow is not one of images");
  return image;
}

/** Each row there and back again. */
export async function reconstructions(maps: FlowMaps, rows: Table): Promise<Table> {
  const { z } = await maps.forward(rows, { logDet: false });
  return (await maps.inverse(z, { logDet: false })).x;
}

/**
 * `steps` images from each row of `from` to the row of `to`, their latents on a great circle: between two draws of a
 * normal distribution the straight line would leave the distances from 0 at which all draws lie.
 */
export async function interpolations(maps: FlowMaps, from: Table, to: Table, steps: number): Promise<Table> {
  const { z: a } = await maps.forward(from, { logDet: false });
  const { z: b } = await maps.forward(to, { logDet: false });
  const { columns } = a;
  const path = new Table(a.rows * steps, columns);
  for (let row = 0; row < a.rows; row++) {
    const [p, q] = [a.row(row), b.row(row)];
    const dot = (u: Float64Array, v: Float64Array) => u.reduce((sum, x, i) => sum + x * v[i], 0);
    const cosine = dot(p, q) / Math.sqrt(dot(p, p) * dot(q, q));
    const angle = Math.acos(Math.min(1, Math.max(-1, cosine)));
    for (let n = 0; n < steps; n++) {
      const t = n / (steps - 1);
      const [u, v] =
        angle < 1e-6
          ? [1 - t, t]
          : [Math.sin((1 - t) * angle), Math.sin(t * angle)].map((s) => s / Math.sin(angle));
      for (let j = 0; j < columns; j++) path.values[(row * steps + n) * columns + j] = u * p[j] + v * q[j];
    }
  }
  return (await maps.inverse(path, { logDet: false })).x;
}
