/** NumPy's array files, format version 1.0, of numbers in one or two dimensions. */
import { check, FlowError } from "../errors.js";
import { Table } from "../table.js";
import { npyMagic, parseNpyHeader } from "./npy-header.js";

const PREFIX = npyMagic.length + 4;
const ALIGNMENT = 64;

/** The bytes of a .npy file that holds the table as an array of float64 of shape (rows, columns). */
export function writeNpy(table: Table): Uint8Array {
  const dictionary = `{'descr': '<f8', 'fortran_order': False, 'shape': (${table.rows}, ${table.columns}), }`;
  const start = Math.ceil((PREFIX + dictionary.length + 1) / ALIGNMENT) * ALIGNMENT;
  const header = `${dictionary.padEnd(start - PREFIX - 1)}\n`;
  const { buffer, byteOffset, byteLength } = table.values;
  const bytes = new Uint8Array(start + byteLength);
  bytes.set([...npyMagic, 1, 0, header.length & 0xff, header.length >> 8]);
  bytes.set(new TextEncoder().encode(header), PREFIX);
  bytes.set(new Uint8Array(buffer, byteOffset, byteLength), start);
  return bytes;
}

/**
 * Reads an array of one dimension (one column) or two from the bytes of a .npy file of little-endian float32
 * or float64 in C order; `path` names the file in errors.
 *
 * @throws FlowError `input` for other files and formats, truncated files, empty arrays and numbers that are
 *   not finite
 */
export function readNpy(bytes: Uint8Array, path: string): Table {
  const fail = (what: string) => new FlowError("input", `${path}: ${what}`);
  const parsed = parseNpyHeader(bytes, path);
  if (bytes.length < npyMagic.length) throw fail("not a .npy file");
  if (parsed === null) throw fail("the file ends within its header");
  const { type, fortranOrder, shape, start } = parsed;

  if (type !== "<f8" && type !== "<f4") {
    throw fail(`numbers of type ${type} are not read, only float64 (<f8) and float32 (<f4)`);
  }
  if (fortranOrder) throw fail("Fortran order is not read, only C order");
  if (shape.length !== 1 && shape.length !== 2) {
    throw fail(`an array of ${shape.length} dimensions is not read, only of 1 or 2`);
  }

  const [rows, columns = 1] = shape;
  check(rows * columns > 0, "input", `${path}: the array is empty`);
  const Numbers = type === "<f8" ? Float64Array : Float32Array;
  const expected = rows * columns * Numbers.BYTES_PER_ELEMENT;
  // A copy, also of a Buffer, whose own slice shares its memory.
  const data = Uint8Array.prototype.slice.call(bytes, start);
  if (data.length !== expected) {
    throw fail(
      `${rows} x ${columns} numbers of type ${type} need ${expected} bytes, the file has ${data.length}`,
    );
  }
  const table = new Table(rows, columns, Float64Array.from(new Numbers(data.buffer)));
  const bad = table.values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    const place = `row ${Math.floor(bad / columns) + 1}, column ${(bad % columns) + 1}`;
    throw new FlowError("input", `${path}, ${place}: the number is ${table.values[bad]}, not finite`);
  }
  return table;
}
