/**
 * The IDX format of the MNIST database (Y. LeCun, C. Cortes, C. Burges), all numbers with the highest byte
 * first: a magic number (two zero bytes, the type of the values, the number of dimensions), the dimensions in
 * four bytes each, then the values. Only unsigned bytes, type 8, are read here.
 */
import { check, FlowError } from "../../errors.js";

const UNSIGNED_BYTES = 0x08;
/** What a file of so many dimensions holds. */
const CONTENTS = ["", "labels", "rows of values", "images"];

/** The length in bytes of the header of a file of so many dimensions. */
export function idxHeaderLength(dimensions: number): number {
  return 4 + 4 * dimensions;
}

/**
 * The dimensions of an IDX file, from its first bytes.
 *
 * @throws FlowError `input` that names the file, for another magic number or number of dimensions
 */
export function idxDimensions(start: Uint8Array, dimensions: number, path: string): number[] {
  const headerLength = idxHeaderLength(dimensions);
  const fail = (what: string) => new FlowError("input", `${path}: ${what}`);
  if (start.length < 4) throw fail(`the file ends within its header, after ${start.length} bytes`);

  const hexadecimal = (bytes: Iterable<number>) =>
    `0x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  const magic = hexadecimal(start.subarray(0, 4));
  if (start[0] !== 0 || start[1] !== 0 || start[2] !== UNSIGNED_BYTES) {
    const expected = hexadecimal([0, 0, UNSIGNED_BYTES, dimensions]);
    throw fail(`wrong magic number ${magic}; an IDX file of ${CONTENTS[dimensions]} starts with ${expected}`);
  }
  if (start[3] !== dimensions) {
    const found = CONTENTS[start[3]] ? ` (a file of ${CONTENTS[start[3]]})` : "";
    throw fail(
      `an IDX file of ${start[3]} dimension${start[3] === 1 ? "" : "s"}${found}; ${CONTENTS[dimensions]} have ${dimensions}`,
    );
  }
  if (start.length < headerLength) throw fail(`the file ends within its header, after ${start.length} bytes`);

  const view = new DataView(start.buffer, start.byteOffset);
  const sizes = Array.from({ length: dimensions }, (_, i) => view.getUint32(4 + 4 * i));
  check(
    sizes.every((size) => size > 0),
    "input",
    `${path}: the file holds no values (${sizes.join(" x ")})`,
  );
  return sizes;
}

/** The length in bytes of an IDX file of these dimensions. */
export const idxLength = (sizes: readonly number[]): number =>
  idxHeaderLength(sizes.length) + sizes.reduce((product, size) => product * size, 1);

/** Throws a `FlowError` of code `input` that names the file, if it is shorter or longer than its header says. */
export function checkIdxLength(sizes: readonly number[], length: number, path: string): void {
  const expected = idxLength(sizes);
  const shape = sizes.join(" x ");
  const fail = (what: string) =>
    new FlowError("input", `${path}: ${what} ${expected} bytes, the file has ${length}`);
  if (length < expected) throw fail(`truncated: ${shape} values need`);
  if (length > expected) throw fail(`too long: ${shape} values take`);
}

/** The header of an IDX file of unsigned bytes with these dimensions. */
export function idxHeader(sizes: readonly number[]): Uint8Array {
  const header = new Uint8Array(idxHeaderLength(sizes.length));
  header.set([0, 0, UNSIGNED_BYTES, sizes.length]);
  sizes.forEach((size, i) => {
    new DataView(header.buffer).setUint32(4 + 4 * i, size);
  });
  return header;
}
