/**
 * The safetensors format: 8 bytes of header length, a JSON header, then the numbers, little-endian and row-major.
 * Written as F64 unless told otherwise; F32 and F64 are read. What the specification forbids is refused: keys that stand
 * twice, numbers that no tensor or two tensors hold, sizes that do not fit their shapes.
 *
 * A file that is written here can carry its own checksum: `self_sha256` of the metadata is the hash of the whole file
 * with zeros in the place of these 64 digits.
 */
import { check, FlowError, quoted } from "../errors.js";
import { parseJson } from "./json.js";
import { sha256 } from "./sha256.js";

export interface Tensor {
  readonly shape: readonly number[];
  readonly values: Float64Array;
}

export interface Tensors {
  tensors: Map<string, Tensor>;
  /** Without the checksum. */
  metadata: Record<string, string>;
  /** Whether the file carries its checksum. */
  sealed: boolean;
}

const WIDTH = { F32: 4, F64: 8 } as const;
/** Bytes of a header at most, as the specification has it. */
const MOST_HEADER = 100e6;
const CHECKSUM = "self_sha256";
const NO_CHECKSUM = "0".repeat(64);
/** Where the checksum stands in a header. */
const CHECKSUM_PLACE = /"self_sha256":"([0-9a-f]{64})"/g;
const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** The bytes of a file; with `sealed`, they carry their checksum. */
export function encodeSafetensors(
  { tensors, metadata }: { tensors: ReadonlyMap<string, Tensor>; metadata: Readonly<Record<string, string>> },
  { dtype = "F64", sealed = false }: { dtype?: "F32" | "F64"; sealed?: boolean } = {},
): Uint8Array {
  const width = WIDTH[dtype];
  const named = sealed ? { ...metadata, [CHECKSUM]: NO_CHECKSUM } : metadata;
  const header: Record<string, unknown> = { __metadata__: named };
  let offset = 0;
  for (const [name, { shape, values }] of tensors) {
    header[name] = { dtype, shape, data_offsets: [offset, offset + width * values.length] };
    offset += width * values.length;
  }
  const json = JSON.stringify(header);
  const text = new TextEncoder().encode(json);
  const padded = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(8 + padded + offset);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(padded), true);
  bytes.fill(32, 8, 8 + padded);
  bytes.set(text, 8);
  let at = 8 + padded;
  for (const { values } of tensors.values()) {
    for (const value of values) {
      if (dtype === "F64") view.setFloat64(at, value, true);
      else view.setFloat32(at, value, true);
      at += width;
    }
  }
  if (sealed) {
    const place = checksumPlace(bytes.subarray(8, 8 + padded), NO_CHECKSUM) as number;
    bytes.set(new TextEncoder().encode(sha256(bytes)), 8 + place);
  }
  return bytes;
}

/** Where the 64 digits of that checksum start in a header; null unless it stands there once. */
function checksumPlace(header: Uint8Array, checksum: string): number | null {
  // One character a byte, so that places are those of bytes.
  const text = new TextDecoder("latin1").decode(header);
  const found = [...text.matchAll(CHECKSUM_PLACE)].filter(([, digits]) => digits === checksum);
  return found.length === 1 ? found[0].index + CHECKSUM.length + 4 : null;
}

/**
 * Reads a file's bytes, and compares them with their checksum where they carry one. Throws an `input` error that names
 * the file, and the tensor at fault, if they are cut short, damaged or something else. The numbers may be anything:
 * `Parameters.load` judges those of a model.
 */
export function decodeSafetensors(bytes: Uint8Array, file: string): Tensors {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const foreign = `${file} is not a safetensors file, or is cut short`;
  check(bytes.length >= 8, "input", foreign);
  const length = Number(view.getBigUint64(0, true));
  check(length <= bytes.length - 8 && length <= MOST_HEADER && bytes[8] === 0x7b, "input", foreign);
  const text = bytes.subarray(8, 8 + length);
  let header: unknown;
  try {
    header = parseJson(text, `${file}: its header`);
  } catch (cause) {
    if ((cause as Error).message.includes("twice")) throw cause;
    throw new FlowError("input", foreign, { cause });
  }
  check(isObject(header), "input", foreign);
  const { __metadata__: metadata = {}, ...entries } = header;
  check(
    isObject(metadata) && Object.values(metadata).every((value) => typeof value === "string"),
    "input",
    `${file}: its metadata must be texts by name, not ${quoted(metadata)}`,
  );
  const found = Object.entries(entries).map(([name, entry]) => entryOf(name, entry, file));
  // In the order of their numbers, each tensor starts where the one before it ends.
  let end = 0;
  let before = "its header";
  for (const { name, from, to } of found.sort((a, b) => a.from - b.from || a.to - b.to)) {
    check(
      from === end,
      "input",
      `${file}: tensor ${quoted(name)} starts at ${from}, but ${before} ends at ${end}: numbers of none or of two tensors`,
    );
    check(
      8 + length + to <= bytes.length,
      "input",
      `${file} is cut short: tensor ${quoted(name)} ends beyond it`,
    );
    end = to;
    before = `tensor ${quoted(name)}`;
  }
  const rest = bytes.length - 8 - length - end;
  check(rest === 0, "input", `${file} has ${rest} bytes behind its last tensor`);
  const { [CHECKSUM]: checksum, ...said } = metadata as Record<string, string>;
  const sealed = checksum !== undefined;
  if (sealed) checkSeal(bytes, text, checksum, file);
  const places = new Map(found.map((entry) => [entry.name, entry]));
  const tensors = Object.keys(entries).map((name): [string, Tensor] => {
    const { dtype, shape, from, to } = places.get(name) as Entry;
    return [name, { shape, values: numbers(bytes.subarray(8 + length + from, 8 + length + to), dtype) }];
  });
  return { tensors: new Map(tensors), metadata: said, sealed };
}

interface Entry {
  readonly name: string;
  readonly dtype: keyof typeof WIDTH;
  readonly shape: readonly number[];
  /** Places of its bytes behind the header. */
  readonly from: number;
  readonly to: number;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function entryOf(name: string, entry: unknown, file: string): Entry {
  const tensor = `${file}: tensor ${quoted(name)}`;
  check(isObject(entry), "input", `${tensor} is described by ${quoted(entry)}, not by type, shape and place`);
  const { dtype, shape, data_offsets: offsets, ...others } = entry;
  const [other] = Object.keys(others);
  check(other === undefined, "input", `${tensor} has the unknown property ${quoted(other)}`);
  check(
    dtype === "F64" || dtype === "F32",
    "input",
    `${tensor} has type ${quoted(dtype)}, only F32 and F64 are read`,
  );
  check(Array.isArray(shape) && shape.every(isSize), "input", `${tensor} has the shape ${quoted(shape)}`);
  check(
    Array.isArray(offsets) && offsets.length === 2 && offsets.every(isSize),
    "input",
    `${tensor} has the place ${quoted(offsets)}`,
  );
  const [from, to] = offsets;
  // Not a product in one go: that of large sizes is rounded, and 0 times infinity is none.
  const bytes = (shape as number[]).includes(0) ? 0 : shape.reduce((a, b) => a * b, WIDTH[dtype]);
  check(
    to - from === bytes,
    "input",
    `${tensor} has ${to - from} bytes, but a shape of ${quoted(shape)} takes ${bytes}`,
  );
  return { name, dtype, shape, from, to };
}

function checkSeal(bytes: Uint8Array, header: Uint8Array, checksum: string, file: string): void {
  const place = checksumPlace(header, checksum);
  const blank = new Uint8Array(bytes);
  if (place !== null) blank.fill(0x30, 8 + place, 8 + place + NO_CHECKSUM.length);
  check(
    place !== null && sha256(blank) === checksum,
    "input",
    `${file} is damaged: its content does not have the checksum that it carries`,
  );
}

/** Little-endian numbers. */
function numbers(bytes: Uint8Array, dtype: keyof typeof WIDTH): Float64Array {
  // A copy starts at a multiple of 8, as typed arrays need it. (The slice of a Buffer is none.)
  if (littleEndian && dtype === "F64") return new Float64Array(new Uint8Array(bytes).buffer);
  if (littleEndian) return Float64Array.from(new Float32Array(new Uint8Array(bytes).buffer));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = bytes.length / WIDTH[dtype];
  return Float64Array.from({ length: count }, (_, i) =>
    dtype === "F64" ? view.getFloat64(8 * i, true) : view.getFloat32(4 * i, true),
  );
}
