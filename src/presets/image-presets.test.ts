import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { testRandom } from "../../test/support/rows.js";
import type { DataSource } from "../data/source.js";
import { certify } from "../flows/certificate.js";
import type { FlowDeclaration } from "../flows/declaration.js";
import { Flow } from "../flows/flow.js";
import { imageFlow } from "../flows/image-flow.js";
import { alone } from "../ranks/communicator.js";
import { RUN_FORMAT, Run, type RunConfig } from "../runs/run.js";
import { Table } from "../table.js";
import { Trainer } from "../training/trainer.js";
import { imagePresets, imageSizes, studiedData } from "./image-presets.js";

const SIDE = 8;
const IMAGE = { height: SIDE, width: SIDE, levels: 256 };

/** Images of random pixels. */
const noise = (channels: number): DataSource => ({
  name: "noise",
  dim: channels * SIDE ** 2,
  entropy: null,
  columns: [],
  density: null,
  fill(out, seed, step, start, count) {
    const random = testRandom(seed + 100 * step + start);
    for (let i = 0; i < count * this.dim; i++) out[i] = 256 * random.uniform();
  },
  test: () => new Table(0, channels * SIDE ** 2),
});

/** A preset's flow with one narrow block a scale, on images of 8 x 8 pixels. */
function tiny(name: string, channels: number): FlowDeclaration {
  const { flow } = imagePresets[name];
  const { blocks: _, stem } = flow.connected ?? {};
  return imageFlow({
    ...flow,
    ...IMAGE,
    channels,
    blocks: (flow.blocks ?? []).map((_, i) => (i === 0 ? 2 : 1)),
    growth: 4,
    connected: { blocks: 1, growth: 4, ...(stem ? { stem: 4 } : {}) },
  });
}

/** Every chain and network of those that follow the original codes; ImageNet32's are CIFAR-10's, with more blocks. */
const asPublished = [
  "mnist-original",
  "cifar10-original",
  "cifar10-i-densenet-original",
  "cifar10-residual-flow",
  "imagenet64-original",
  "imagenet64-residual-flow",
];

describe.each(asPublished)("%s", (name) => {
  it("trains, and the trained model is certified, in a tiny size", async () => {
    const source = noise(name.startsWith("mnist") ? 1 : 3);
    const flow = await Flow.create(tiny(name, source.dim / SIDE ** 2), { seed: 1, capacity: 4 });
    const { training } = imagePresets[name];
    const trainer = new Trainer(flow, source, { ...training, batch: 8, seed: 2, steps: 2 }, alone);
    for (let step = 0; step < 2; step++) {
      const { loss, unconverged } = await trainer.advance();
      expect(loss).toBeGreaterThan(0);
      expect(unconverged).toBe(0);
    }
    await trainer.finish();
    const rows = new Table(4, flow.dim);
    source.fill(rows.values, 3, 0, 0, 4);
    const latents = new Table(4, flow.dim);
    const random = testRandom(4);
    for (let i = 0; i < latents.values.length; i++) latents.values[i] = random.normal();
    const { failures } = await certify(flow, rows, latents);
    expect(failures).toEqual([]);
  });
});

it("has for every size a Monotone Flow and two baselines, and all that the original's code has in its own settings", () => {
  const expected = imageSizes.flatMap((name) => {
    const baselines = [name, `${name}-i-densenet`, `${name}-residual-flow`];
    return studiedData.some((data) => data === name)
      ? [...baselines, `${name}-original`, `${name}-i-densenet-original`]
      : baselines;
  });
  expect(Object.keys(imagePresets).sort()).toEqual(expected.sort());
});

/** The networks of a preset in their order, on images that its scales fit. */
function networksOf(name: string) {
  const { bijections } = imageFlow({ ...imagePresets[name].flow, channels: 3, height: 32, width: 32 });
  return bijections.flatMap((b) => ("network" in b ? [b.network] : []));
}

it.each([...studiedData])(
  "%s-residual-flow is Residual Flow's: 3-1-3 kernels of width 512 behind pre-activations",
  (data) => {
    const [first, ...others] = networksOf(`${data}-residual-flow`);
    const layers = { kind: "multilayer", depth: 2, activation: "LipSwish" };
    const convolutions = { ...layers, kernel: [3, 1, 3], growth: 512 };
    expect(first).toMatchObject(convolutions);
    expect(first.preactivation).toBeUndefined();
    const connected = others.splice(-4);
    for (const network of others) expect(network).toMatchObject({ ...convolutions, preactivation: true });
    for (const network of connected) {
      expect(network).toMatchObject({ ...layers, growth: 128, preactivation: true });
      expect([network.kernel, network.stem]).toEqual([undefined, undefined]);
    }
  },
);

it("keeps all settings of its training in a run directory", () => {
  const folder = mkdtempSync(join(tmpdir(), "image-presets-"));
  try {
    for (const name of ["digits", "cifar10-original", "cifar10-residual-flow"]) {
      const { training, flow } = imagePresets[name];
      const declaration = imageFlow({ ...flow, channels: 3, height: 32, width: 32 });
      const config: RunConfig = {
        format: RUN_FORMAT,
        version: "0",
        preset: name,
        data: { kind: "staircase" },
        training: {
          ...training,
          schedule: training.schedule?.map((change) => ({ ...change })),
          steps: 1,
          seed: 0,
        },
        threads: 1,
        checkpointEvery: 1,
        flow: declaration,
      };
      const read = Run.open(Run.create(join(folder, name), config).path).config;
      expect(read).toEqual(JSON.parse(JSON.stringify(config)));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
