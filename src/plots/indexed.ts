/**
 * PNG files with a palette: a third of the size of those with three bytes a pixel. Pictures of up to 256 colours
 * stay as they are; of others the popular colours stay, and a rare one becomes the nearest of them.
 */
import { encode } from "fast-png";

const COLOURS = 256;
/** Least squared distances of two colours of the palette, pass by pass: first all of the colour space, then the popular. */
const APART = [48 ** 2, 24 ** 2, 12 ** 2, 6 ** 2, 1];

/** Of the compression: 9 takes three times as long, for 1% fewer bytes of a density. */
const LEVEL = 7;

/** RGB bytes, row 0 at the top. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: ArrayLike<number>;
}

/** A PNG file of three bytes a pixel. */
export function encodeTrueColour({ width, height, data }: Pixels): Uint8Array {
  return encode(
    { width, height, channels: 3, depth: 8, data: Uint8Array.from(data) },
    { zlib: { level: LEVEL } },
  );
}

export function encodeIndexed({ width, height, data }: Pixels): Uint8Array {
  const codes = new Uint32Array(width * height);
  for (let i = 0, j = 0; i < codes.length; i++, j += 3) {
    codes[i] = (data[j] << 16) | (data[j + 1] << 8) | data[j + 2];
  }
  const counts = new Map<number, number>();
  eachRun(codes, (code, start, end) => counts.set(code, (counts.get(code) ?? 0) + end - start));
  const palette = paletteOf(counts);
  const places = new Map([...counts.keys()].map((code) => [code, nearest(palette, code).place]));
  const indices = new Uint8Array(codes.length);
  eachRun(codes, (code, start, end) => indices.fill(places.get(code) ?? 0, start, end));
  return encode(
    {
      width,
      height,
      channels: 1,
      depth: 8,
      data: indices,
      palette: palette.map(bytesOf),
    },
    { zlib: { level: LEVEL } },
  );
}

/** Calls a function with each run of equal codes, which are long in a picture. */
function eachRun(codes: Uint32Array, call: (code: number, start: number, end: number) => void): void {
  for (let start = 0, end = 0; start < codes.length; start = end) {
    const code = codes[start];
    while (end < codes.length && codes[end] === code) end++;
    call(code, start, end);
  }
}

/** The popular colours, no two of them too near as long as there are others. */
function paletteOf(counts: ReadonlyMap<number, number>): number[] {
  const popular = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).map(([code]) => code);
  if (popular.length <= COLOURS) return popular;
  const palette: number[] = [];
  for (const apart of APART) {
    for (const code of popular) {
      if (palette.length === COLOURS) return palette;
      if (nearest(palette, code).distance >= apart) palette.push(code);
    }
  }
  return palette;
}

function nearest(palette: readonly number[], code: number): { place: number; distance: number } {
  let place = 0;
  let distance = Number.POSITIVE_INFINITY;
  for (let i = 0; i < palette.length && distance > 0; i++) {
    const other = palette[i];
    const red = (other >> 16) - (code >> 16);
    const green = ((other >> 8) & 255) - ((code >> 8) & 255);
    const blue = (other & 255) - (code & 255);
    const d = red * red + green * green + blue * blue;
    if (d < distance) [place, distance] = [i, d];
  }
  return { place, distance };
}

const bytesOf = (code: number): [number, number, number] => [code >> 16, (code >> 8) & 255, code & 255];
