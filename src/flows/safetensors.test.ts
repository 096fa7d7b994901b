import fc from "fast-check";
import { expect, it, vi } from "vitest";
import { seeded } from "../../test/support/property.js";
import { FlowError } from "../errors.js";
import { decodeSafetensors, encodeSafetensors } from "./safetensors.js";

const tensors = new Map([
  ["a", { shape: [2, 3], values: Float64Array.of(1, -2, 3.5, 0, -0, 1e300) }],
  ["b.weight", { shape: [1], values: Float64Array.of(Number.NaN) }],
  ["empty", { shape: [0, 5], values: new Float64Array() }],
  ["number", { shape: [], values: Float64Array.of(7) }],
]);
const bytes = encodeSafetensors({ tensors, metadata: { step: "7" } });
const sealed = encodeSafetensors({ tensors, metadata: { step: "7" } }, { sealed: true });

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

/** A file with this header, and so many bytes of numbers. */
function file(header: string | object, numbers: number): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const result = new Uint8Array(8 + text.length + numbers);
  new DataView(result.buffer).setBigUint64(0, BigInt(text.length), true);
  result.set(text, 8);
  return result;
}

it("reads back what it writes", () => {
  expect(decodeSafetensors(bytes, "x")).toEqual({ tensors, metadata: { step: "7" }, sealed: false });
  expect(decodeSafetensors(sealed, "x")).toEqual({ tensors, metadata: { step: "7" }, sealed: true });
  const single = encodeSafetensors({ tensors, metadata: {} }, { dtype: "F32" });
  expect([...(decodeSafetensors(single, "x").tensors.get("a")?.values ?? [])]).toEqual([
    1,
    -2,
    3.5,
    0,
    -0,
    Infinity,
  ]);
  // From anywhere in a larger buffer.
  const larger = new Uint8Array(bytes.length + 3);
  larger.set(bytes, 3);
  expect(decodeSafetensors(larger.subarray(3), "x").tensors).toEqual(tensors);
});

it("names the file wherever it is cut short, and when something follows", () => {
  for (let length = 0; length < bytes.length; length++) {
    expect(attempt(bytes.slice(0, length))).toContain("some.safetensors");
  }
  expect(attempt(Uint8Array.of(...bytes, 0))).toBe("some.safetensors has 1 bytes behind its last tensor");
});

it("notices any bit that flips in a file with its checksum", () => {
  for (let bit = 0; bit < 8 * sealed.length; bit += 3) {
    const damaged = sealed.slice();
    damaged[bit >> 3] ^= 1 << (bit & 7);
    const message = attempt(damaged);
    // In the name of the checksum or of the metadata alone, it becomes a file without one.
    if (message === null) expect(decodeSafetensors(damaged, "x").sealed).toBe(false);
    else expect(message).toContain("some.safetensors");
  }
});

it("survives damage anywhere", () => {
  const flip = fc.tuple(fc.nat(bytes.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(flip, { minLength: 1, maxLength: 3 }), (flips) => {
      const damaged = bytes.slice();
      for (const [i, value] of flips) damaged[i] = value;
      attempt(damaged);
    }),
    seeded(2000),
  );
});

const tensor = (from: number, to: number, shape: unknown = [(to - from) / 8], dtype: unknown = "F64") => ({
  dtype,
  shape,
  data_offsets: [from, to],
});

it.each<[string, string | object, number, RegExp]>([
  ["null", "null", 8, /is not a safetensors file/],
  ["a list", "[]", 8, /is not a safetensors file/],
  ["a number", "3", 8, /is not a safetensors file/],
  ["space before it", ` ${JSON.stringify({ a: tensor(0, 8) })}`, 8, /is not a safetensors file/],
  ["a tensor null", { a: null }, 8, /tensor 'a' is described by null/],
  ["no shape", { a: { dtype: "F64", data_offsets: [0, 8] } }, 8, /'a' has the shape undefined/],
  ["no place", { a: { dtype: "F64", shape: [1] } }, 8, /'a' has the place undefined/],
  ["a place of one number", { a: { dtype: "F64", shape: [1], data_offsets: [0] } }, 8, /the place \[0\]/],
  ["a place of three", { a: { dtype: "F64", shape: [1], data_offsets: [0, 8, 8] } }, 8, /place \[0,8,8\]/],
  ["a negative place", { a: tensor(-8, 0) }, 8, /'a' has the place \[-8,0\]/],
  ["half a place", { a: tensor(0.5, 8.5, [1]) }, 8, /'a' has the place \[0\.5,8\.5\]/],
  ["an end before the start", { a: tensor(8, 0, [1]) }, 8, /'a' has -8 bytes/],
  ["half a size", { a: tensor(0, 4, [0.5]) }, 4, /'a' has the shape \[0\.5\]/],
  ["a negative size", { a: tensor(0, 8, [-1]) }, 8, /'a' has the shape \[-1\]/],
  ["two negative sizes", { a: tensor(0, 8, [-1, -1]) }, 8, /'a' has the shape \[-1,-1\]/],
  ["a text as size", { a: tensor(0, 8, ["1"]) }, 8, /'a' has the shape \["1"\]/],
  ["a size beyond integers", { a: tensor(0, 8, [1e300]) }, 8, /'a' has the shape \[1e\+300\]/],
  ["sizes that overflow", { a: tensor(0, 8, [2 ** 52, 2 ** 52]) }, 8, /'a' has 8 bytes, but a shape/],
  ["sizes of another product", { a: tensor(0, 48, [2, 2]) }, 48, /48 bytes, but a shape of \[2,2\] takes 32/],
  ["an unknown type", { a: tensor(0, 8, [4], "F16") }, 8, /'a' has type 'F16', only F32 and F64/],
  ["a type that is no text", { a: tensor(0, 8, [1], ["F64"]) }, 8, /'a' has type \["F64"\]/],
  ["another property", { a: { ...tensor(0, 8), scale: 2 } }, 8, /'a' has the unknown property 'scale'/],
  ["a hole before it", { a: tensor(8, 16) }, 16, /'a' starts at 8, but its header ends at 0/],
  ["a hole", { a: tensor(0, 8), b: tensor(16, 24) }, 24, /'b' starts at 16, but tensor 'a' ends at 8/],
  ["an overlap", { a: tensor(0, 16), b: tensor(8, 24) }, 24, /'b' starts at 8, but tensor 'a' ends at 16/],
  [
    "the same place twice",
    { a: tensor(0, 8), b: tensor(0, 8) },
    8,
    /'b' starts at 0, but tensor 'a' ends at 8/,
  ],
  ["a rest", { a: tensor(0, 8) }, 16, /has 8 bytes behind its last tensor/],
  ["too few numbers", { a: tensor(0, 16) }, 8, /cut short: tensor 'a' ends beyond it/],
  [
    "metadata null",
    { __metadata__: null, a: tensor(0, 8) },
    8,
    /its metadata must be texts by name, not null/,
  ],
  ["metadata of numbers", { __metadata__: { step: 5 } }, 0, /its metadata must be texts .*\{"step":5\}/],
  [
    "a name twice",
    `{"a":${JSON.stringify(tensor(0, 8))},"a":${JSON.stringify(tensor(8, 16))}}`,
    16,
    /has the key 'a' twice/,
  ],
  [
    "a name twice, once in disguise",
    `{"a":${JSON.stringify(tensor(0, 8))},"\\u0061":${JSON.stringify(tensor(8, 16))}}`,
    16,
    /has the key 'a' twice/,
  ],
  [
    "a property twice",
    '{"a":{"dtype":"F64","shape":[2],"data_offsets":[0,8],"shape":[1]}}',
    8,
    /has the key 'shape' twice/,
  ],
  ["a terminal's commands", { "\u001b[2J": null }, 8, /tensor '\\u001b\[2J' is described by null/],
  ["a megabyte of a name", { ["x".repeat(1e6)]: null }, 8, /^.{30,180}$/],
])("refuses a header with %s", (_, header, numbers, complaint) => {
  const message = attempt(file(header, numbers));
  expect(message).toMatch(complaint);
  expect(message).toContain("some.safetensors");
});

it("takes tensors in any order of their places, and other keys of their own", () => {
  const read = decodeSafetensors(file({ b: tensor(8, 16), a: tensor(0, 8), c: tensor(16, 16) }, 16), "x");
  expect([...read.tensors.keys()]).toEqual(["b", "a", "c"]);
  expect(attempt(file('{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},"shape":null}', 8))).toMatch(
    /tensor 'shape' is described by null/,
  );
});

it("is the same file on a machine whose numbers start with their largest byte", async () => {
  vi.resetModules();
  vi.stubGlobal("Uint16Array", { of: () => Uint8Array.of(0, 1) });
  const other = await import("./safetensors.js");
  vi.unstubAllGlobals();
  for (const dtype of ["F64", "F32"] as const) {
    const bytes = other.encodeSafetensors({ tensors, metadata: {} }, { dtype });
    expect(bytes).toEqual(encodeSafetensors({ tensors, metadata: {} }, { dtype }));
    expect(other.decodeSafetensors(bytes, "x")).toEqual(decodeSafetensors(bytes, "x"));
  }
});

it("starts its numbers at a multiple of 8, with no more spaces before than that takes", () => {
  for (let length = 0; length < 9; length++) {
    const file = encodeSafetensors({ tensors, metadata: { text: "x".repeat(length) } });
    const header = Number(new DataView(file.buffer).getBigUint64(0, true));
    expect(header % 8).toBe(0);
    expect(new TextDecoder().decode(file.subarray(8, 8 + header))).toMatch(/^\{.*\} {0,7}$/);
    expect(file.length).toBe(8 + header + 8 * (6 + 1 + 0 + 1));
  }
});
