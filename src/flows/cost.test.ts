import { afterEach, expect, it, vi } from "vitest";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { imagePresets } from "../presets/image-presets.js";
import { type Cost, costOf, judgeCost } from "./cost.js";
import { type FlowDeclaration, parseDeclaration } from "./declaration.js";
import { Flow } from "./flow.js";
import { type ImageFlowOptions, imageFlow } from "./image-flow.js";
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

const little: ImageFlowOptions = {
  ...{ channels: 2, height: 4, width: 8, levels: 17, blocks: [2, 1], growth: 4, depth: 2 },
  connected: { blocks: 0, stem: 1, growth: 4 },
};
/** As near to what flows take as the test above says; a number that changes has to have a reason. */
const counted: [string, FlowDeclaration, number, object][] = [
  [
    "vectors",
    {
      ...monotoneFlow({ dim: 3, blocks: 2, growth: 8, depth: 2, actnorm: true }),
      base: { kind: "student-t", degrees: 5 },
    },
    16,
    {
      engineBytes: 31104,
      hostBytes: 19904,
      parameters: 263,
      work: 636120,
      parts: {
        activations: 24768,
        "points between the blocks": 4352,
        solvers: 0,
        "weights on the engine": 1984,
        "weights, gradients and moments": 19904,
      },
    },
  ],
  [
    "images with three probes",
    imageFlow({
      ...{ ...little, connected: { blocks: 1, stem: 4, growth: 2 } },
      estimator: { probes: 3, exactTerms: 4, exactTermsInEvaluation: 6 },
    }),
    8,
    {
      parameters: 4612,
      engineBytes: 303968,
      hostBytes: 327936,
      work: 13175888,
      parts: {
        "points between the blocks": 67584,
        activations: 160320,
        "weights on the engine": 35104,
        solvers: 40960,
        "weights, gradients and moments": 327936,
      },
    },
  ],
  [
    "images with learned noise and a geometric law",
    imageFlow({
      ...{ ...little, factorOut: true, dequantization: "variational" },
      estimator: { law: "geometric", rate: 0.25, exactTerms: 7, exactTermsInEvaluation: 5 },
    }),
    8,
    {
      parameters: 5168,
      engineBytes: 406016,
      hostBytes: 363520,
      work: 42541616,
      parts: {
        "points between the blocks": 40960,
        activations: 283264,
        "weights on the engine": 40832,
        solvers: 40960,
        "weights, gradients and moments": 363520,
      },
    },
  ],
  [
    "images with layers that follow one another",
    imageFlow({ ...little, network: "multilayer", preactivation: true, kernels: [3, 1, 3] }),
    8,
    {
      parameters: 3492,
      engineBytes: 264224,
      hostBytes: 256256,
      work: 11745840,
      parts: {
        "points between the blocks": 40960,
        activations: 155136,
        "weights on the engine": 27168,
        solvers: 40960,
        "weights, gradients and moments": 256256,
      },
    },
  ],
];

it.each(counted)("counts all that %s costs, part by part", (_, declaration, capacity, expected) => {
  const { parts, ...cost } = costOf(declaration, capacity);
  expect({ ...cost, parts: Object.fromEntries(parts) }).toEqual(expected);
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

/** The least number of samples for which a pass costs more than that. */
function leastBeyond(costs: (capacity: number) => number, limit: number): number {
  let [below, beyond] = [1, 1];
  while (costs(beyond) <= limit) beyond *= 2;
  while (beyond - below > 1) {
    const middle = (below + beyond) >> 1;
    if (costs(middle) <= limit) below = middle;
    else beyond = middle;
  }
  return beyond;
}

const bytesOf = ({ engineBytes, hostBytes }: Cost) => engineBytes + hostBytes;
const long = (rate: number) =>
  imageFlow({ ...imagePresets.digits.flow, ...digits, estimator: { law: "geometric", rate } });

it.each<{
  limit: string;
  variables?: Record<string, string>;
  declaration: FlowDeclaration;
  batch?: boolean;
  costs(declaration: FlowDeclaration, size: number): number;
  most: number;
  complaint: RegExp;
}>([
  {
    limit: "16 GB",
    variables: { MONOTONE_FLOWS_MAX_MODEL_MB: "-1" },
    declaration: plane,
    batch: true,
    costs: (declaration, batch) => bytesOf(costOf(declaration, 16)) + 32 * batch,
    most: 16e9,
    complaint:
      /^f: the flow asks for 16\.0 GB of memory \(the largest part is 16\.0 GB of batches of \d+ samples; it has 1674 parameters\), more than the 16\.0 GB that MONOTONE_FLOWS_MAX_MODEL_MB allows/,
  },
  {
    limit: "40 MB, where that is allowed",
    variables: { MONOTONE_FLOWS_MAX_MODEL_MB: "40" },
    declaration: plane,
    costs: (declaration, capacity) => bytesOf(costOf(declaration, capacity)),
    most: 4e7,
    complaint:
      /^f: the flow asks for 41 MB of memory \(the largest part is \d+ MB of activations; .*, more than the 40 MB that MONOTONE_FLOWS_MAX_MODEL_MB allows/,
  },
  {
    limit: "WebAssembly can have",
    declaration: plane,
    costs: (declaration, capacity) => costOf(declaration, capacity).engineBytes,
    most: 2 ** 32,
    complaint: /asks for 4\.4 GB of memory .*, more than the 4\.3 GB that WebAssembly can have/,
  },
  {
    limit: "1,000 teraoperations",
    variables: { MONOTONE_FLOWS_MAX_PASS_TERAOPS: "0" },
    declaration: long(1e-6),
    costs: (declaration, capacity) => costOf(declaration, capacity).work,
    most: 1e15,
    complaint:
      /^f: a pass of \d+ samples .* asks for about 1\.0e\+15 multiplications, more than the 1\.0e\+15 that/,
  },
  {
    limit: "a teraoperation, where that is allowed",
    variables: { MONOTONE_FLOWS_MAX_PASS_TERAOPS: "1" },
    declaration: long(1e-4),
    costs: (declaration, capacity) => costOf(declaration, capacity).work,
    most: 1e12,
    complaint: /more than the 1\.0e\+12 that MONOTONE_FLOWS_MAX_PASS_TERAOPS allows/,
  },
])("allows no more than $limit", ({ variables = {}, declaration, batch, costs, most, complaint }) => {
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  const judge = (size: number) =>
    batch ? judgeCost(declaration, 16, "f", "input", size) : judgeCost(declaration, size, "f");
  const least = leastBeyond((size) => costs(declaration, size), most);
  expect(() => judge(least)).toThrow(complaint);
  expect(() => judge(least - 1)).not.toThrow();
});
