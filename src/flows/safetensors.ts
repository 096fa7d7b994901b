/**
 * The safetensors format: 8 bytes of header length, a JSON header, then the numbers, little-endian.
 * Written as F64 unless told otherwise; F32 and F64 are read.
 */
import { check, FlowError } from "../errors.js";

export interface Tensors {
  tensors: Map<string, { shape: readonly number[]; values: Float64Array }>;
  metadata: Record<string, string>;
}

const WIDTH = { F32: 4, F64: 8 };

export function encodeSafetensors(
  { tensors, metadata }: Tensors,
  { dtype = "F64" }: { dtype?: "F32" | "F64" } = {},
): Uint8Array {
  const width = WIDTH[dtype];
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const [name, { shape, values }] of tensors) {
    header[name] = { dtype, shape, data_offsets: [offset, offset + width * values.length] };
    offset += width * values.length;
  }
  let text = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(text.length / 8) * 8;
  text = new Uint8Array([...text, ...new Array(padded - text.length).fill(32)]);
  const bytes = new Uint8Array(8 + padded + offset);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(padded), true);
  bytes.set(text, 8);
  let at = 8 + padded;
  for (const { values } of tensors.values()) {
    for (const value of values) {
      if (dtype === "F64") view.setFloat64(at, value, true);
      else view.setFloat32(at, value, true);
      at += width;
    }
  }
  return bytes;
}

/** Reads a file's bytes; throws an `input` error that names the file if they are cut short or something else. */
export function decodeSafetensors(bytes: Uint8Array, file: string): Tensors {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const foreign = `${file} is not a safetensors file, or is cut short`;
  check(bytes.length >= 8, "input", foreign);
  const length = Number(view.getBigUint64(0, true));
  check(length <= bytes.length - 8, "input", foreign);
  let header: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }> | null;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, 8 + length)));
  } catch (cause) {
    throw new FlowError("input", foreign, { cause });
  }
  check(typeof header === "object" && header !== null && !Array.isArray(header), "input", foreign);
  const { __metadata__: metadata = {}, ...entries } = header;
  const tensors: Tensors["tensors"] = new Map();
  let end = 0;
  for (const [name, entry] of Object.entries(entries)) {
    const { dtype, shape, data_offsets: offsets } = entry ?? {};
    check(
      dtype === "F64" || dtype === "F32",
      "input",
      `${file}: tensor '${name}' has type ${dtype}, only F32 and F64 are read`,
    );
    const width = WIDTH[dtype];
    const count = Array.isArray(shape) ? shape.reduce((a, b) => a * b, 1) : Number.NaN;
    check(
      Array.isArray(offsets) &&
        offsets.every((offset) => Number.isSafeInteger(offset) && offset >= 0) &&
        offsets[1] - offsets[0] === count * width,
      "input",
      `${file}: tensor '${name}' has a wrong size`,
    );
    check(
      8 + length + offsets[1] <= bytes.length,
      "input",
      `${file} is cut short: tensor '${name}' ends beyond it`,
    );
    end = Math.max(end, offsets[1]);
    const at = 8 + length + offsets[0];
    const values = Float64Array.from({ length: count }, (_, i) =>
      dtype === "F64" ? view.getFloat64(at + 8 * i, true) : view.getFloat32(at + 4 * i, true),
    );
    tensors.set(name, { shape, values });
  }
  check(8 + length + end === bytes.length, "input", foreign);
  return { tensors, metadata: metadata as unknown as Record<string, string> };
}
