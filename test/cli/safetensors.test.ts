import fc from "fast-check";
import { expect, it } from "vitest";
import { FlowError } from "../../src/errors.js";
import { decodeSafetensors, encodeSafetensors } from "../../src/flows/safetensors.js";

const tensors = new Map([
  ["a", { shape: [2, 3], values: Float64Array.of(1, -2, 3.5, 0, -0, 1e300) }],
  ["b.weight", { shape: [1], values: Float64Array.of(Number.NaN) }],
  ["empty", { shape: [0], values: new Float64Array() }],
]);
const bytes = encodeSafetensors({ tensors, metadata: { step: "7" } });

/** Decodes, or returns the error's message; any other error than ours fails. */
function attempt(damaged: Uint8Array): string | null {
  try {
    decodeSafetensors(damaged, "some.safetensors");
    return null;
  } catch (error) {
    if (!(error instanceof FlowError)) throw error;
    expect(error.code).toBe("input");
    return error.message;
  }
}

it("reads back what it writes", () => {
  expect(decodeSafetensors(bytes, "x")).toEqual({ tensors, metadata: { step: "7" } });
});

it("names the file wherever it is cut short, and when something follows", () => {
  for (let length = 0; length < bytes.length; length++) {
    expect(attempt(bytes.slice(0, length))).toContain("some.safetensors");
  }
  expect(attempt(Uint8Array.of(...bytes, 0))).toContain("some.safetensors");
});

it("survives damage anywhere", () => {
  const flip = fc.tuple(fc.nat(bytes.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(flip, { minLength: 1, maxLength: 3 }), (flips) => {
      const damaged = bytes.slice();
      for (const [i, value] of flips) damaged[i] = value;
      attempt(damaged);
    }),
    { numRuns: 2000 },
  );
});

it.each([
  "null",
  "[]",
  "3",
  '{"a":null}',
  '{"a":{"dtype":"F64"}}',
  '{"a":{"dtype":"F64","shape":[1],"data_offsets":[-8,0]}}',
  '{"a":{"dtype":"F64","shape":[0.5],"data_offsets":[0.5,4.5]}}',
  '{"a":{"dtype":"F64","shape":["x"],"data_offsets":[0,8]}}',
  '{"a":{"dtype":"F64","shape":[-1],"data_offsets":[8,0]}}',
])("refuses the header %s", (header) => {
  const text = new TextEncoder().encode(header);
  const file = new Uint8Array(8 + text.length + 8);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  expect(attempt(file)).toContain("some.safetensors");
});
