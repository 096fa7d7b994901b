import { expect, it } from "vitest";
import { FlowError } from "../errors.js";
import { Table } from "../table.js";
import { readNpy, writeNpy } from "./npy.js";

/** A file of format version 1.0 with the given header, padded as little as possible. */
function npy(dictionary: string, data: ArrayBufferView): Uint8Array {
  const header = new TextEncoder().encode(`${dictionary}\n`);
  return Uint8Array.from([
    0x93,
    ...new TextEncoder().encode("NUMPY"),
    1,
    0,
    header.length % 256,
    Math.floor(header.length / 256),
    ...header,
    ...new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  ]);
}

const good = writeNpy(
  Table.from([
    [1, 2, 3],
    [4, 5, 6],
  ]),
);

function patched(from: string, to: string): Uint8Array {
  const text = Array.from(good, (byte) => String.fromCharCode(byte)).join("");
  return Uint8Array.from(text.replace(from, to), (letter) => letter.charCodeAt(0));
}

it("reads back what it wrote, with the numbers at a multiple of 64 bytes", () => {
  const table = Table.from([
    [0.1, -0],
    [1e300, 5e-324],
  ]).slice(1);
  const bytes = writeNpy(table);
  expect(readNpy(bytes, "a.npy")).toEqual(new Table(1, 2, table.values.slice()));
  expect(bytes.length).toBe(128 + 2 * 8);
  // A view that does not start at a multiple of 8 bytes.
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  expect(readNpy(shifted.subarray(3), "a.npy").row(0)).toEqual(table.row(0));
});

it("reads float32 and arrays of one dimension", () => {
  const bytes = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", Float32Array.of(1, 0.5, -2));
  expect(readNpy(bytes, "a.npy").toArray()).toEqual([[1], [0.5], [-2]]);
});

it.each([
  ["another file", Uint8Array.of(1, 2, 3), "not a .npy file"],
  ["no file", new Uint8Array(0), "not a .npy file"],
  ["a cut prefix", good.subarray(0, 8), "the file ends within its header"],
  ["a cut header", good.subarray(0, 40), "the file ends within its header"],
  [
    "cut numbers",
    good.subarray(0, good.length - 1),
    "2 x 3 numbers of type <f8 need 48 bytes, the file has 47",
  ],
  ["version 2", good.with(6, 2), "format version 2.0 of .npy files is not read"],
  ["integers", patched("<f8", "<i8"), "numbers of type <i8 are not read"],
  ["big-endian numbers", patched("<f8", ">f8"), "numbers of type >f8 are not read"],
  ["structures", patched("'<f8'", "[('a', '<f8')]"), "numbers of type unknown are not read"],
  ["Fortran order", patched("False", "True "), "Fortran order is not read"],
  ["three dimensions", patched("(2, 3), ", "(1,2,3),"), "an array of 3 dimensions is not read"],
  ["a number", patched("(2, 3)", "()    "), "an array of 0 dimensions is not read"],
  ["no rows", patched("(2, 3)", "(0, 3)"), "the array is empty"],
  ["more numbers than memory", patched("(2, 3)", "(9999999, 99999999)"), "9999999 x 99999999 numbers"],
])("refuses %s", (_, bytes, message) => {
  expect(() => readNpy(bytes, "a.npy")).toThrow(FlowError);
  expect(() => readNpy(bytes, "a.npy")).toThrow(`a.npy: ${message}`);
});

it("refuses numbers that are not finite", () => {
  const bytes = writeNpy(
    Table.from([
      [1, 2],
      [3, Number.NaN],
    ]),
  );
  expect(() => readNpy(bytes, "a.npy")).toThrow("a.npy, row 2, column 2: the number is NaN, not finite");
});
