import fc from "fast-check";
import { expect, it } from "vitest";
import { convolutionNormBound } from "./convolution-norm.js";
import { spectralNormBound } from "./matrix-norm-bound.js";

interface Convolution {
  readonly outputs: number;
  readonly inputs: number;
  readonly height: number;
  readonly width: number;
  readonly weight: readonly number[];
}

const bound = ({ weight, outputs, inputs, height, width }: Convolution) =>
  convolutionNormBound(weight, outputs, inputs, height, width);

/** The norm of the explicit matrix, to rounding. */
function exact({ weight, outputs, inputs, height, width }: Convolution): number {
  const columns = inputs * height * width;
  const matrix = new Float64Array(outputs * height * width * columns);
  weight.forEach((value, at) => {
    const [o, tap, c] = [Math.floor(at / (9 * inputs)), Math.floor(at / inputs) % 9, at % inputs];
    const [dy, dx] = [Math.floor(tap / 3) - 1, (tap % 3) - 1];
    for (let i = 0; i < height; i++)
      for (let j = 0; j < width; j++) {
        const [y, x] = [i + dy, j + dx];
        if (y < 0 || y >= height || x < 0 || x >= width) continue;
        matrix[((o * height + i) * width + j) * columns + (c * height + y) * width + x] = value;
      }
  });
  return spectralNormBound(matrix, outputs * height * width, columns);
}

/** The largest norm of the symbols on one torus. */
function onTorus(convolution: Convolution, p: number, q: number, a: number, b: number): number {
  const { weight, outputs, inputs } = convolution;
  let largest = 0;
  for (let i = 0; i < p; i++)
    for (let j = 0; j < q; j++) {
      const symbol = new Float64Array(4 * outputs * inputs);
      weight.forEach((value, at) => {
        const [o, tap, c] = [Math.floor(at / (9 * inputs)), Math.floor(at / inputs) % 9, at % inputs];
        const angle = 2 * Math.PI * ((Math.floor(tap / 3) * (i + a)) / p + ((tap % 3) * (j + b)) / q);
        const [re, im] = [value * Math.cos(angle), value * Math.sin(angle)];
        symbol[o * 2 * inputs + c] += re;
        symbol[o * 2 * inputs + inputs + c] -= im;
        symbol[(outputs + o) * 2 * inputs + c] += im;
        symbol[(outputs + o) * 2 * inputs + inputs + c] += re;
      });
      largest = Math.max(largest, spectralNormBound(symbol, 2 * outputs, 2 * inputs));
    }
  return largest;
}

/** Numbers that look random. */
const noise = (length: number) => Array.from({ length }, (_, i) => Math.sin(1 + i * i));

const convolutions = fc
  .record({
    outputs: fc.integer({ min: 1, max: 3 }),
    inputs: fc.integer({ min: 1, max: 3 }),
    height: fc.integer({ min: 1, max: 5 }),
    width: fc.integer({ min: 1, max: 4 }),
  })
  .chain((shape) =>
    fc
      .array(
        fc.integer({ min: -3000, max: 3000 }).map((n) => n / 1000),
        { minLength: shape.outputs * 9 * shape.inputs, maxLength: shape.outputs * 9 * shape.inputs },
      )
      .map((weight): Convolution => ({ ...shape, weight })),
  );

it("is never below the norm of the explicit matrix, and within three thousandths of it", () => {
  fc.assert(
    fc.property(convolutions, (convolution) => {
      const norm = exact(convolution);
      expect(bound(convolution)).toBeGreaterThanOrEqual(norm * (1 - 1e-12));
      expect(bound(convolution)).toBeLessThanOrEqual(norm * 1.003);
    }),
    { numRuns: 100 },
  );
});

it("closes the gap that every torus leaves", () => {
  const convolution = { outputs: 3, inputs: 4, height: 4, width: 4, weight: noise(108) };
  const norm = exact(convolution);
  for (const p of [5, 6])
    for (const q of [5, 6])
      for (const a of [0, 0.5])
        for (const b of [0, 0.5]) expect(onTorus(convolution, p, q, a, b)).toBeGreaterThan(1.02 * norm);
  expect(bound(convolution)).toBeGreaterThanOrEqual(norm);
  expect(bound(convolution)).toBeLessThan(1.003 * norm);
});

it("bounds a box filter by its known norm where the grid is too large to factorise", () => {
  // The eigenvectors of the tridiagonal matrix of ones are sines.
  const [channels, height, width] = [20, 33, 32];
  const weight = new Array<number>(channels * 9 * channels).fill(0);
  for (let c = 0; c < channels; c++)
    for (let tap = 0; tap < 9; tap++) weight[(c * 9 + tap) * channels + c] = 1 / 9;
  const along = (n: number) => (1 + 2 * Math.cos(Math.PI / (n + 1))) / 3;
  const norm = along(height) * along(width);
  expect(bound({ outputs: channels, inputs: channels, height, width, weight })).toBeGreaterThanOrEqual(norm);
  expect(bound({ outputs: channels, inputs: channels, height, width, weight })).toBeLessThan(1.001 * norm);
});

it("is quickly bounded, too: not much less tightly, and exactly on the smallest grids", () => {
  for (const [outputs, inputs, height, width, most] of [
    [3, 4, 4, 4, 1.003],
    [10, 12, 9, 8, 1.04],
  ]) {
    const weight = noise(outputs * 9 * inputs);
    const tight = bound({ outputs, inputs, height, width, weight });
    const quick = convolutionNormBound(weight, outputs, inputs, height, width, "quick");
    expect(quick).toBeGreaterThanOrEqual(tight / 1.003);
    expect(quick).toBeLessThan(most * tight);
  }
});

it("is the same for the transposed convolution and the transposed picture", () => {
  const [outputs, inputs, height, width] = [2, 3, 6, 3];
  const weight = noise(outputs * 9 * inputs);
  const transposed = new Array<number>(weight.length);
  const turned = new Array<number>(weight.length);
  weight.forEach((value, at) => {
    const [o, tap, c] = [Math.floor(at / (9 * inputs)), Math.floor(at / inputs) % 9, at % inputs];
    transposed[(c * 9 + 8 - tap) * outputs + o] = value;
    turned[(o * 9 + 3 * (tap % 3) + Math.floor(tap / 3)) * inputs + c] = value;
  });
  const norm = bound({ weight, outputs, inputs, height, width });
  expect(bound({ weight: transposed, outputs: inputs, inputs: outputs, height, width })).toBeCloseTo(
    norm,
    10,
  );
  expect(bound({ weight: turned, outputs, inputs, height: width, width: height })).toBeCloseTo(norm, 10);
});

it("keeps its promise for entries whose squares overflow or vanish", () => {
  const convolution = { outputs: 2, inputs: 2, height: 3, width: 3, weight: noise(36) };
  const norm = exact(convolution);
  for (const scale of [1e-300, 1e-160, 1e200, 1e307]) {
    const scaled = bound({ ...convolution, weight: convolution.weight.map((x) => x * scale) });
    expect(scaled / scale).toBeGreaterThanOrEqual(norm * (1 - 1e-12));
    expect(scaled / scale).toBeLessThanOrEqual(norm * 1.003);
  }
  const least = { ...convolution, weight: convolution.weight.map((x) => Math.sign(x) * Number.MIN_VALUE) };
  const signs = exact({ ...convolution, weight: convolution.weight.map(Math.sign) });
  expect(bound(least) / Number.MIN_VALUE).toBeGreaterThanOrEqual(Math.floor(signs));
});

it("ignores taps that never reach the grid, and knows no bound for what is not finite", () => {
  const corner = (value: number) => [value, 0, 0, 0, 2, 0, 0, 0, 0];
  expect(bound({ outputs: 1, inputs: 1, height: 1, width: 1, weight: corner(1e6) })).toBeCloseTo(2, 2);
  expect(bound({ outputs: 1, inputs: 1, height: 1, width: 5, weight: corner(1e6) })).toBeCloseTo(2, 2);
  const shape = { outputs: 1, inputs: 1, height: 2, width: 2 };
  expect(bound({ ...shape, weight: new Array<number>(9).fill(0) })).toBe(0);
  expect(bound({ ...shape, weight: corner(Number.NaN) })).toBe(Number.POSITIVE_INFINITY);
  expect(bound({ ...shape, weight: corner(Number.NEGATIVE_INFINITY) })).toBe(Number.POSITIVE_INFINITY);
  expect(() => bound({ ...shape, weight: [1] })).toThrow("1 weights make no 3 x 3 convolution");
});
