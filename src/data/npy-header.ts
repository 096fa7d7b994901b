/**
 * The header of NumPy's array files, format version 1.0: the magic string "\x93NUMPY", two bytes of version, the
 * length of the rest in two bytes, the lowest first, and a Python dictionary in ASCII. Source: NumPy's
 * documentation of `numpy.lib.format`.
 */
import { FlowError } from "../errors.js";

export const npyMagic = [0x93, ...new TextEncoder().encode("NUMPY")];
/** Bytes before the dictionary: magic string, version, length. */
const PREFIX = npyMagic.length + 4;

export interface NpyHeader {
  /** The type of the numbers as NumPy writes it: `<f8`, `|u1`, ...; `unknown` where it is no simple type. */
  readonly type: string;
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
  /** Where the numbers start. */
  readonly start: number;
}

/**
 * The header at the start of `bytes`, or null if more bytes are needed to tell; `path` names the file in errors.
 *
 * @throws FlowError `input` for anything but a .npy file of version 1.0
 */
export function parseNpyHeader(bytes: Uint8Array, path: string): NpyHeader | null {
  const fail = (what: string) => new FlowError("input", `${path}: ${what}`);
  if (!npyMagic.every((byte, i) => i >= bytes.length || bytes[i] === byte)) throw fail("not a .npy file");
  if (bytes.length < PREFIX) return null;
  const [major, minor] = bytes.subarray(npyMagic.length);
  if (major !== 1) throw fail(`format version ${major}.${minor} of .npy files is not read, only 1.0`);
  const start = PREFIX + bytes[PREFIX - 2] + 256 * bytes[PREFIX - 1];
  if (bytes.length < start) return null;

  const header = new TextDecoder().decode(bytes.subarray(PREFIX, start));
  return {
    type: /'descr':\s*'([^']*)'/.exec(header)?.[1] ?? "unknown",
    fortranOrder: !/'fortran_order':\s*False/.test(header),
    shape: /'shape':\s*\(([\d\s,]*)\)/.exec(header)?.[1].match(/\d+/g)?.map(Number) ?? [],
    start,
  };
}
