import { afterEach, expect, it, vi } from "vitest";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { imagePresets } from "../presets/image-presets.js";
import { costOf, judgeCost } from "./cost.js";
import { type FlowDeclaration, parseDeclaration } from "./declaration.js";
import { Flow } from "./flow.js";
import { imageFlow } from "./image-flow.js";
import { monotoneFlow } from "./monotone-flow.js";

afterEach(() => vi.unstubAllEnvs());

/** Counts what a flow takes of it. */
class Counting extends ReferenceEngine {
  numbers = 0;
  override tensor(length: number) {
    this.numbers += length;
    return super.tensor(length);
  }
}

const digits = { channels: 1, height: 8, width: 8, levels: 17 };
const image = imageFlow({ ...imagePresets.digits.flow, ...digits });
const plane = monotoneFlow({ dim: 2, blocks: 3 });

it.each<[string, FlowDeclaration, number]>([
  ["the plane", plane, 128],
  ["16 dimensions", monotoneFlow({ dim: 16, blocks: 2, growth: 8, actnorm: true }), 32],
  ["images", image, 16],
  [
    "images with learned noise",
    imageFlow({ ...imagePresets.digits.flow, ...digits, dequantization: "variational" }),
    16,
  ],
])("knows the size of a flow of %s before it is built", async (_, declaration, capacity) => {
  const engine = new Counting();
  const flow = await Flow.create(declaration, { engine, capacity });
  const { parameters, engineBytes } = costOf(declaration, capacity);
  const learned = flow.parameters.values.length;
  expect(parameters / learned).toBeGreaterThan(0.9);
  expect(parameters / learned).toBeLessThan(1.1);
  expect(engineBytes / (4 * engine.numbers)).toBeGreaterThan(0.8);
  expect(engineBytes / (4 * engine.numbers)).toBeLessThan(1.3);
});

// biome-ignore lint/suspicious/noExplicitAny: what somebody may write into a file
const written = (from: FlowDeclaration, change: (json: any) => void) => {
  const json = JSON.parse(JSON.stringify(from));
  change(json);
  return json;
};
const block = image.bijections.find((b) => "network" in b);

// biome-ignore lint/suspicious/noExplicitAny: what somebody may write into a file
it.each<[string, FlowDeclaration, (json: any) => void, RegExp]>([
  [
    "5,000 blocks",
    plane,
    (d) => {
      d.bijections = Array(5_000).fill(d.bijections[0]);
    },
    /wrong at bijections/,
  ],
  [
    "growth 4,096",
    plane,
    (d) => {
      for (const b of d.bijections) Object.assign(b.network, { growth: 4096, depth: 64 });
    },
    /asks for .* GB of memory \(the largest part is .* of weights/,
  ],
  [
    "a billion exact terms",
    image,
    (d) => {
      d.estimator.exactTerms = 1e9;
    },
    /wrong at estimator\.exactTerms/,
  ],
  [
    "series of a billion terms",
    image,
    (d) => {
      Object.assign(d.estimator, { law: "geometric", rate: 1e-9 });
    },
    /asks for about .* multiplications/,
  ],
  [
    "a Poisson law of a billion terms",
    image,
    (d) => {
      Object.assign(d.estimator, { law: "poisson", rate: 1e9 });
    },
    /wrong at estimator\.rate/,
  ],
  [
    "a million dimensions",
    image,
    (d) => {
      Object.assign(d, { dim: 1e6, image: undefined, bijections: [block] });
    },
    /asks for .* GB of memory/,
  ],
  [
    "a large image",
    image,
    (d) => {
      Object.assign(d, { dim: 2 ** 20, image: { ...d.image, height: 1024, width: 1024 } });
    },
    /asks for .* GB of memory \(the largest part is .* of activations/,
  ],
  [
    "a million power iterations",
    plane,
    (d) => {
      d.bijections[0].network.powerIterations = 1e6;
    },
    /wrong at bijections\.0\.network\.powerIterations/,
  ],
  [
    "a million probes",
    image,
    (d) => {
      d.estimator.probes = 1e6;
    },
    /wrong at estimator\.probes/,
  ],
  [
    "a trillion levels",
    image,
    (d) => {
      d.image.levels = 1e12;
    },
    /wrong at image\.levels/,
  ],
])("refuses %s at once", (_, from, change, complaint) => {
  const began = performance.now();
  expect(() => judgeCost(parseDeclaration(written(from, change), "flow.json"), 128, "flow.json")).toThrow(
    complaint,
  );
  expect(performance.now() - began).toBeLessThan(2_000);
});

it("judges batches, and lets its limits be raised", () => {
  expect(() => judgeCost(image, 16, "--batch 1000000", "usage", 1_000_000)).not.toThrow();
  const large = () => judgeCost(image, 16, "--batch 100000000", "usage", 100_000_000);
  expect(large).toThrow(
    /^--batch 100000000: the flow asks for 102\.\d GB of memory \(the largest part is 102\.4 GB of batches/,
  );
  vi.stubEnv("MONOTONE_FLOWS_MAX_MODEL_MB", "200000");
  expect(large).not.toThrow();
});

it("leaves room for every preset, on the images that it is for", () => {
  const sides: Record<string, [number, number]> = {
    digits: [1, 8],
    mnist: [1, 28],
    fashion: [1, 28],
    cifar10: [3, 32],
    imagenet32: [3, 32],
    imagenet64: [3, 64],
  };
  for (const [name, { flow, training }] of Object.entries(imagePresets)) {
    const found = Object.keys(sides).find((data) => name.startsWith(data));
    const [channels, side] = sides[found ?? "cifar10"];
    const declaration = imageFlow({ ...flow, channels, height: side, width: side, levels: 256 });
    expect(() => judgeCost(declaration, 16, name, "usage", training.batch)).not.toThrow();
  }
});
