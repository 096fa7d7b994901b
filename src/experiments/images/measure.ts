/** What a trained image flow does: samples, reconstructions, paths in latent space, and how good its estimates are. */

import { pixelTable } from "../../data/images/pixels.js";
import type { DataSource } from "../../data/source.js";
import type { Flow } from "../../flows/flow.js";
import type { FlowMaps } from "../../flows/flow-maps.js";
import { imageOf, interpolations, reconstructions } from "../../runs/image-figures.js";
import type { Table } from "../../table.js";
import { bitsPerDimension } from "../../training/evaluate.js";

/** In a row of a sheet. */
export const COLUMNS = 12;
const SAMPLES = 8 * COLUMNS;
const PATHS = 6;
/** Test images that go there and back; the first of them are shown. */
const RECONSTRUCTED = 64;
/** The most numbers of an image whose whole Jacobians are taken. */
const EXACT_UP_TO = 64;

/** Plain JSON; images are pixels, one image after the other. */
export interface Measures {
  readonly parameters: number;
  readonly samples: readonly number[];
  /** Paths between pairs of test images, `COLUMNS` images each. */
  readonly paths: readonly number[];
  /** The first test images and what comes back of them. */
  readonly originals: readonly number[];
  readonly reconstructed: readonly number[];
  readonly reconstructions: number;
  /** Of all reconstructed pixels, their noise included; 1 is one level. */
  readonly largestError: number;
  /** Of each test image, its loss in bits per dimension by exact log-determinants; null for large images. */
  readonly exact: readonly number[] | null;
}

/** `samples`: how many test images are scored. */
export async function measure(
  flow: Flow,
  maps: FlowMaps,
  source: DataSource,
  seed: number,
  samples: number,
): Promise<Measures> {
  const { levels } = imageOf(flow);
  const pixels = (rows: Table) => Array.from(pixelTable(rows, levels).values);
  const test = source.test(seed, RECONSTRUCTED);
  const back = await reconstructions(maps, test);
  const ends = [0, PATHS].map((first) => source.test(seed, PATHS, first));
  const exact =
    flow.dim <= EXACT_UP_TO ? await maps.logProb(source.test(seed, samples), { exact: true }) : null;
  return {
    parameters: flow.parameters.values.length,
    samples: pixels(await maps.sample(SAMPLES, { seed })),
    paths: pixels(await interpolations(maps, ends[0], ends[1], COLUMNS)),
    originals: pixels(test.slice(0, COLUMNS)),
    reconstructed: pixels(back.slice(0, COLUMNS)),
    reconstructions: test.rows,
    largestError: back.values.reduce((most, x, i) => Math.max(most, Math.abs(x - test.values[i])), 0),
    exact: exact && Array.from(exact, (logProb) => -bitsPerDimension(logProb, flow.dim)),
  };
}
