/**
 * Checkpoints that the original studies' code made, with what that code computes (scripts/interchange/make-fixtures.py),
 * as flows of ours, and our flows as checkpoints.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../src/engine/reference/engine.js";
import { WasmEngine } from "../../src/engine/wasm/engine.js";
import { uncertifiedBlocks } from "../../src/flows/certificate.js";
import type { FlowDeclaration } from "../../src/flows/declaration.js";
import { Flow } from "../../src/flows/flow.js";
import { imageFlow } from "../../src/flows/image-flow.js";
import { monotoneFlow } from "../../src/flows/monotone-flow.js";
import { exportCheckpoint } from "../../src/interchange/export.js";
import { importCheckpoint, inspectCheckpoint, latentOrder } from "../../src/interchange/import.js";
import { decodeTorch, encodeTorch, Tensor } from "../../src/interchange/pytorch.js";
import type { Study } from "../../src/interchange/study-options.js";

const folder = import.meta.dirname;
const names = readdirSync(folder)
  .filter((file) => file.endsWith(".pth"))
  .map((file) => file.replace(".pth", ""));
const bytesOf = (name: string) => new Uint8Array(readFileSync(join(folder, `${name}.pth`)));

interface Numbers {
  x: number[][];
  z: number[][];
  logDet: number[];
}
const numbersOf = (name: string): Numbers => JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8"));

/** The largest differences of z and of log-determinants between the study's numbers and a flow's. */
async function differences(flow: Flow, { x, z, logDet }: Numbers, exact = true) {
  // Pixels are 0 to 1 there.
  const levels = flow.declaration.image?.levels ?? 1;
  const own = await flow.forward(
    x.map((row) => row.map((value) => levels * value)),
    { exact },
  );
  const order = latentOrder(flow.declaration);
  const largest = (differences: number[]) => Math.max(...differences.map(Math.abs));
  return {
    z: largest(z.flatMap((row, i) => row.map((value, j) => value - own.z.at(i, order[j])))),
    logDet: largest(logDet.map((value, i) => value - flow.dim * Math.log(levels) - own.logDet[i])),
  };
}

const studyOf = (name: string) => name.replace(/-.*/, "").replace("residual", "residual-flows") as Study;
const reference = () => ({ engine: new ReferenceEngine(), capacity: 8 });

describe.each(names)("%s", (name) => {
  const numbers = numbersOf(name);
  let flow: Flow;

  beforeAll(async () => {
    const imported = await importCheckpoint(bytesOf(name), { file: name, ...reference() });
    expect(imported.origin.study).toBe(studyOf(name));
    flow = imported.flow;
  });

  it("maps as the study's code does, to 1e-9 in float64", async () => {
    const { z, logDet } = await differences(flow, numbers);
    expect(z).toBeLessThan(1e-9);
    expect(logDet).toBeLessThan(1e-9);
  });

  it("maps so on the WebAssembly engine to 2e-4", async () => {
    const engine = await WasmEngine.create();
    const { flow: fast } = await importCheckpoint(bytesOf(name), { engine, capacity: 8 });
    const { z, logDet } = await differences(fast, numbers);
    expect(z).toBeLessThan(2e-4);
    expect(logDet).toBeLessThan(2e-4 * Math.max(1, flow.dim / 16));
  });

  it("comes back from an export as it was, and maps alike", async () => {
    const { bytes } = exportCheckpoint(flow, studyOf(name));
    const { flow: again } = await importCheckpoint(bytes, reference());
    expect(again.declaration.bijections).toEqual(flow.declaration.bijections);
    expect(again.declaration.image).toEqual(flow.declaration.image);
    // Of a convolution's power iteration only u and sigma are in both.
    const lasting = (f: Flow) =>
      f.parameters.list.filter((p) => !/\.slope\./.test(p.name)).map((p) => [p.name, p.values]);
    expect(lasting(again)).toEqual(lasting(flow));
    const { z, logDet } = await differences(again, numbers);
    expect(z).toBeLessThan(1e-9);
    expect(logDet).toBeLessThan(1e-9);
  });
});

it("leaves a model as it is whose bounds are not below 1, and says which block's", async () => {
  // The study's power iteration is a step behind its weights there; `residual-image` maps as it does all the same.
  const { flow } = await importCheckpoint(bytesOf("residual-image"), reference());
  expect(uncertifiedBlocks(flow)).toEqual([
    { block: 2, kind: "residual", lipschitzBound: expect.closeTo(1.0555, 3) },
  ]);
  const certified = await importCheckpoint(bytesOf("residual-toy"), reference());
  expect(uncertifiedBlocks(certified.flow)).toEqual([]);
});

it("takes the moving averages when it is asked to", async () => {
  const own = await importCheckpoint(bytesOf("mlvlab-image-factored"), reference());
  const { flow } = await importCheckpoint(bytesOf("mlvlab-image-factored"), {
    averaged: true,
    ...reference(),
  });
  expect(own.origin.averaged).toBe(true);
  const bias = (f: Flow) => f.parameters.list.find((p) => p.name === "bijections.2.bias.0")?.values ?? [];
  Array.from(bias(own.flow)).forEach((b, i) => {
    expect(bias(flow)[i]).toBeCloseTo(0.99 * b, 12);
  });
  // The vectors in the checkpoint belong to the other parameters, so the power iteration goes on from them.
  const norms = (f: Flow) => f.blocks.map(({ block }) => block.network.spectralNorms());
  const kept = flow.parameters.list.filter((p) => /\.(left|right|slope)\./.test(p.name));
  const found = norms(flow).flat();
  for (const { name, values } of kept) {
    values.set(own.flow.parameters.list.find((p) => p.name === name)?.values ?? []);
  }
  norms(flow)
    .flat()
    .forEach((before, i) => {
      expect(found[i]).toBeGreaterThan(before);
    });
  await expect(importCheckpoint(bytesOf("mlvlab-toy-monotone"), { averaged: true })).rejects.toThrow(
    /no averaged parameters/,
  );
});

it("knows the place of every latent where channels leave twice", () => {
  const leaving: FlowDeclaration["bijections"] = [{ kind: "squeeze" }, { kind: "factor-out" }];
  const image = { channels: 1, height: 4, width: 4, levels: 2, alpha: 0.1 };
  const order = latentOrder({ dim: 16, image, bijections: [...leaving, ...leaving] });
  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
  expect(Array.from(order)).toEqual([...range(8, 16), ...range(4, 8), ...range(0, 4)]);
});

describe("our own flows", () => {
  const vector = (kind: "monotone" | "residual", actnorm: boolean) =>
    monotoneFlow({
      dim: 2,
      blocks: 2,
      depth: 2,
      growth: 4,
      formulation: kind,
      actnorm,
      learnConcatenationFrom: 0,
    });
  const image = (more: Partial<Parameters<typeof imageFlow>[0]>) =>
    imageFlow({
      channels: 2,
      height: 8,
      width: 8,
      blocks: [1, 1],
      depth: 1,
      growth: 4,
      connected: { blocks: 0, stem: 64, growth: 4 },
      squeezeFirst: false,
      ...more,
    });
  const connected = { blocks: 4, stem: 64, growth: 2 };
  const cases: [string, FlowDeclaration, Study][] = [
    ["monotone blocks alone", vector("monotone", false), "mlvlab"],
    ["monotone blocks with actnorms", vector("monotone", true), "mlvlab"],
    ["residual blocks alone", vector("residual", false), "mlvlab"],
    [
      "standardised columns",
      { ...vector("monotone", true), standardisation: { mean: [3, -1], deviation: [2, 0.5] } },
      "mlvlab",
    ],
    ["images", image({ connected, blocks: [1], height: 4, width: 4 }), "mlvlab"],
    ["images of halves that leave", image({ factorOut: true, alpha: 0.01, levels: 16 }), "mlvlab"],
  ];

  it.each(cases)("with %s map alike in the study's form", async (_, declaration, study) => {
    const flow = await Flow.create(declaration, reference());
    for (const { name, values, learned } of flow.parameters.list) {
      if (learned)
        values.forEach((x, i) => {
          values[i] = 1.3 * x + 0.2 * Math.sin(7 * i + name.length);
        });
      else if (name.endsWith(".started")) values[0] = 1;
    }
    flow.prepare();
    const { bytes, options } = exportCheckpoint(flow, study);
    const { flow: again } = await importCheckpoint(bytes, reference());
    expect(again.declaration.image).toEqual(flow.declaration.image);
    const { dim } = declaration;
    const x = [0, 1].map((i) => Array.from({ length: dim }, (_, j) => 3 + 2.5 * Math.sin(1 + i + 2 * j)));
    const [a, b] = [await flow.forward(x, { exact: true }), await again.forward(x, { exact: true })];
    const [orderA, orderB] = [latentOrder(flow.declaration), latentOrder(again.declaration)];
    for (const i of x.keys()) {
      expect(b.logDet[i]).toBeCloseTo(a.logDet[i], 9);
      for (let j = 0; j < dim; j++) expect(b.z.at(i, orderB[j])).toBeCloseTo(a.z.at(i, orderA[j]), 9);
    }
    expect(inspectCheckpoint(bytes)).toMatchObject({ study, options, obstacles: [] });
  });

  it.each([
    ["residual-flows", vector("monotone", false), /the code of residual-flows has no monotone block/],
    ["implicit", vector("residual", false), /the code of implicit has no residual block by itself/],
    ["residual-flows", vector("residual", false), /does not know the activation CPila/],
    [
      "mlvlab",
      image({ connected: { ...connected, blocks: 2 } }),
      /end with 4 fully connected blocks or with none, this one with 2/,
    ],
    ["mlvlab", image({ connected: { ...connected, stem: 32 }, blocks: [1] }), /have a stem of 64 features/],
    ["mlvlab", image({ dequantization: "variational" }), /no learned noise/],
    [
      "mlvlab",
      image({ channels: 1, blocks: [1, 1], height: 4, width: 4 }),
      /scales of 4 x 4 pixels at least, not of 2 x 2/,
    ],
  ] as [Study, FlowDeclaration, RegExp][])(
    "that %s has no form for are refused",
    async (study, declaration, message) => {
      const flow = await Flow.create(declaration, reference());
      expect(() => exportCheckpoint(flow, study)).toThrow(message);
    },
  );
});

describe("what cannot be imported", () => {
  const bytes = bytesOf("mlvlab-toy-monotone");

  it.each([
    [{ act: "sin" }, /act sin: it is not known here; known are CPila, CLipSwish/],
    [{ learn_p: true }, /learn_p true: learned orders/],
    [{ arch: "realnvp" }, /arch realnvp: coupling layers/],
    [{ densenet: false, vnorms: "122f" }, /vnorms 122f: only spectral norms/],
    [{ batchnorm: true }, /batchnorm true: moving batch normalisation/],
    [{ coeff: 1.2 }, /coeff 1.2 .* must be below 1/],
    [{ coeff: null }, /the option coeff of the training program is needed, a number: {"coeff": ...}/],
  ])("says so for %o", async (options, message) => {
    await expect(importCheckpoint(bytes, { options })).rejects.toThrow(message);
  });

  it("lists all obstacles at once", () => {
    const { obstacles } = inspectCheckpoint(bytes, { options: { learn_p: true, dropout: 0.1 } });
    expect(obstacles.map((o) => o.split(":")[0])).toEqual(["learn_p true", "dropout 0.1"]);
  });

  it("names the tensor that is wrong", async () => {
    const saved = decodeTorch(bytes) as Map<string, Map<string, Tensor>>;
    const state = saved.get("state_dict") as Map<string, Tensor>;
    const { options } = inspectCheckpoint(bytes);
    const changed = (name: string, tensor: Tensor | null) => {
      const tensors = new Map(state);
      if (tensor) tensors.set(name, tensor);
      else tensors.delete(name);
      return importCheckpoint(encodeTorch(new Map([["state_dict", tensors]])), { options: { ...options } });
    };
    const bias = "chain.1.nnet.0.network.0.bias";
    await expect(changed(bias, Tensor.of([3], [1, Number.NaN, 2]))).rejects.toThrow(`'${bias}' holds NaN`);
    await expect(changed(bias, Tensor.of([2], [1, 2]))).rejects.toThrow(
      `'${bias}' has the shape [2], where 3 numbers belong`,
    );
    await expect(changed(bias, null)).rejects.toThrow(`lacks the tensor '${bias}'`);
    await expect(changed("chain.9.weight", Tensor.of([1], [1]))).rejects.toThrow(
      "'chain.9' is of a kind that is not known",
    );
    await expect(changed("extra", Tensor.of([1], [1]))).rejects.toThrow("holds 'extra', which no flow");
    await expect(importCheckpoint(encodeTorch(new Map([["state_dict", state]])))).rejects.toMatchObject({
      message: expect.stringMatching(/no options of its training program/),
      advice: [{ option: "options" }],
    });
  });
});
