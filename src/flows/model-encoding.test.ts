import fc from "fast-check";
import { expect, it } from "vitest";
import { seeded } from "../../test/support/property.js";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { Flow } from "./flow.js";
import { decodeFlow, encodeFlow } from "./model-encoding.js";
import { monotoneFlow } from "./monotone-flow.js";
import { decodeSafetensors, encodeSafetensors, type Tensor } from "./safetensors.js";

const engine = new ReferenceEngine();
const tiny = (options = {}, seed = 9) =>
  Flow.create(monotoneFlow({ dim: 2, blocks: 1, growth: 4, depth: 1, ...options }), { engine, seed });
const flow = await tiny();
const encoded = encodeFlow(flow);
const decode = (files: typeof encoded) => decodeFlow(files, { engine });

it("gives back the flow that was encoded", async () => {
  const decoded = await decode(encoded);
  const rows = [[0.5, -1]];
  expect(await decoded.logProb(rows)).toEqual(await flow.logProb(rows));
});

it("says how many steps it was trained for, where that is known", async () => {
  expect((await decode(encoded)).steps).toBeNull();
  const trained = await tiny();
  trained.steps = 20_000;
  const files = encodeFlow(trained);
  expect((await decode(files)).steps).toBe(20_000);
  for (const steps of ["-5", "null", "", "1e3"]) {
    const { tensors, metadata } = decodeSafetensors(files.weights, "x");
    const weights = encodeSafetensors({ tensors, metadata: { ...metadata, steps } }, { sealed: true });
    await expect(decode({ ...files, weights })).rejects.toThrow(
      `model.safetensors is damaged: its metadata have '${steps}' steps`,
    );
  }
});

it("names the content at fault", async () => {
  const cut = { ...encoded, weights: encoded.weights.slice(0, -1) };
  await expect(decode(cut)).rejects.toThrow(/^model\.safetensors is cut short/);
  const other = { ...encoded, declaration: new TextEncoder().encode("{") };
  const names = { declaration: "my.json", weights: "my.safetensors" };
  await expect(decodeFlow(other, { names })).rejects.toThrow(/^my\.json is not valid JSON/);
});

it("notices any bit that flips in either file", async () => {
  const files = ["declaration", "weights"] as const;
  const flip = fc.tuple(fc.constantFrom(...files), fc.nat(8 * encoded.weights.length - 1));
  await fc.assert(
    fc.asyncProperty(flip, async ([file, place]) => {
      const damaged = encoded[file].slice();
      const bit = place % (8 * damaged.length);
      damaged[bit >> 3] ^= 1 << (bit & 7);
      const name = file === "weights" ? "model.safetensors" : "flow.json";
      await expect(decode({ ...encoded, [file]: damaged })).rejects.toThrow(name);
    }),
    seeded(500),
  );
  // Those in the metadata's names, which are a small part of it.
  const header = new TextDecoder("latin1").decode(encoded.weights);
  for (let byte = 8; byte < header.indexOf("bijections"); byte++) {
    const damaged = encoded.weights.slice();
    damaged[byte] ^= 1 << (byte & 7);
    await expect(decode({ ...encoded, weights: damaged })).rejects.toThrow("model.safetensors");
  }
});

it("refuses weights beside the declaration of another flow, even of the same parameters", async () => {
  const residual = encodeFlow(await tiny({ formulation: "residual" }));
  await expect(decode({ ...encoded, declaration: residual.declaration })).rejects.toThrow(
    /^flow\.json is not what model\.safetensors was written with: .* of another model$/,
  );
});

it("builds nothing that is much larger than its weights", async () => {
  const large = monotoneFlow({ dim: 2, blocks: 200, growth: 64 });
  const declaration = new TextEncoder().encode(JSON.stringify(large));
  await expect(decode({ ...plain(), declaration })).rejects.toThrow(
    /^flow\.json declares a flow of about \d+ parameters, but model\.safetensors holds \d+ numbers$/,
  );
});

/** The weights as a file without checksum, as earlier versions and other programs write it. */
function plain(change: (tensors: Map<string, Tensor>) => void = () => {}, metadata = {}): typeof encoded {
  const { tensors } = decodeSafetensors(encoded.weights, "x");
  change(tensors);
  return { ...encoded, weights: encodeSafetensors({ tensors, metadata }) };
}

it("opens what carries no checksum", async () => {
  for (const metadata of [{}, { format: "pt" }, { format: "monotone-flows" }]) {
    const decoded = await decode(plain(() => {}, metadata));
    expect(decoded.parameters.values).toEqual(flow.parameters.values);
  }
  await expect(decode(plain(() => {}, { format: "monotone-flows", relf_sha256: "x" }))).rejects.toThrow(
    /model\.safetensors is damaged: its metadata have the unknown key 'relf_sha256'/,
  );
});

const NAME = "bijections.0.weight.1";
const other = (change: (tensor: Tensor) => Tensor) => (tensors: Map<string, Tensor>) =>
  tensors.set(NAME, change(tensors.get(NAME) as Tensor));
const holding = (value: number) => other(({ shape, values }) => ({ shape, values: values.with(3, value) }));

it.each<[string, (tensors: Map<string, Tensor>) => void, string]>([
  ["NaN", holding(Number.NaN), `'${NAME}' holds NaN, which no weight can be`],
  ["an infinite weight", holding(-Infinity), `'${NAME}' holds -Infinity, which no weight can be`],
  ["a weight beyond float32", holding(3.5e38), `'${NAME}' holds 3.5e+38, which no weight can be`],
  [
    "a transposed shape",
    other(({ shape: [a, b], values }) => ({ shape: [b, a], values })),
    `'${NAME}' has the shape [6,2], not [2,6]`,
  ],
  [
    "a flat shape",
    other(({ values }) => ({ shape: [values.length], values })),
    `'${NAME}' has the shape [12], not [2,6]`,
  ],
  [
    "fewer numbers",
    other(({ values }) => ({ shape: [11], values: values.slice(1) })),
    `'${NAME}' has 11 numbers, not 12`,
  ],
  ["a tensor missing", (tensors) => tensors.delete(NAME), `lacks the tensor '${NAME}'`],
  [
    "a tensor too many",
    (tensors) => tensors.set("\u001b[2Jx", { shape: [0], values: new Float64Array() }),
    "holds '\\u001b[2Jx', which the flow does not have",
  ],
])("refuses a model with %s", async (_, change, complaint) => {
  await expect(decode(plain(change))).rejects.toThrow(complaint);
  await expect(decode(plain(change))).rejects.toMatchObject({ code: "input" });
});
