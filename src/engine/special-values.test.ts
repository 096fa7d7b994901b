/** Elementary functions, activations and log-densities at every kind of float32 number, on all engines. */
import { describe, expect, it } from "vitest";
import { activations } from "../activations/index.js";
import { type Engine, lanesOf, matrix } from "./engine.js";
import { numbers, type PointwiseMap } from "./pointwise.js";
import { ReferenceEngine } from "./reference/engine.js";
import { WasmEngine } from "./wasm/engine.js";

const wasm: [string, WasmEngine][] = [
  ["wasm", await WasmEngine.create()],
  ["wasm without relaxed SIMD", await WasmEngine.create({ relaxed: false })],
];
const engines: [string, Engine][] = [["reference", new ReferenceEngine()], ...wasm];

const SMALLEST_NORMAL = 2 ** -126;
const LARGEST = 3.4028234663852886e38;

/** The distance from a number to the next in float32. */
function ulp(x: number): number {
  const size = Math.abs(x);
  return size < SMALLEST_NORMAL ? 2 ** -149 : 2 ** (Math.floor(Math.log2(size)) - 23);
}

/** Numbers of every sign and exponent, both ends of each, and what is none: NaN with and without payload, too. */
const sweep = (() => {
  const MANTISSAS = 64;
  const bits = Uint32Array.from({ length: 512 * MANTISSAS }, (_, i) => {
    const mantissa = Math.round(((i % MANTISSAS) * 0x7fffff) / (MANTISSAS - 1));
    return Math.floor(i / MANTISSAS) * 2 ** 23 + mantissa;
  });
  return new Float32Array(bits.buffer);
})();

async function elementary(engine: WasmEngine, name: Parameters<WasmEngine["elementary"]>[0]) {
  const x = engine.tensor(sweep.length);
  const out = engine.tensor(x.length);
  engine.write(x, sweep);
  engine.elementary(name, out, x);
  const result = new Float64Array(x.length);
  await engine.read(out, result);
  return result;
}

describe.each(wasm)("%s", (_, engine) => {
  /** The numbers of the sweep for which a function is not what it should be, with what it is. */
  async function wrong(
    name: Parameters<WasmEngine["elementary"]>[0],
    right: (actual: number, x: number) => boolean,
  ) {
    const actual = await elementary(engine, name);
    return Array.from(sweep, (x, i) => [x, actual[i]]).filter(([x, y]) => !right(y, x));
  }

  it("has a logarithm that is right for every kind of number", async () => {
    const right = (y: number, x: number) => {
      const expected = Math.log(x);
      return Number.isFinite(expected) ? Math.abs(y - expected) <= 3 * ulp(expected) : Object.is(y, expected);
    };
    expect(await wrong("log", right)).toEqual([]);
  });

  it("has an exponential that is right for every kind of number", async () => {
    const right = (y: number, x: number) => {
      const expected = Math.exp(x);
      if (Number.isNaN(expected)) return Number.isNaN(y);
      if (expected < 2 ** -126.5) return y >= 0 && y < SMALLEST_NORMAL;
      if (expected > 2 ** 127.5) return y === Number.POSITIVE_INFINITY;
      return Math.abs(y - expected) <= 3 * ulp(expected);
    };
    expect(await wrong("exp", right)).toEqual([]);
  });

  it("has e^-x, as it comes along with e^x, for every x up to 88", async () => {
    const right = (y: number, x: number) => {
      const expected = Math.exp(-x);
      if (x > 88) return true;
      if (Number.isNaN(x)) return Number.isNaN(y);
      return x < -88 ? y >= 2 ** 126 && y < LARGEST : Math.abs(y - expected) <= 3 * ulp(expected);
    };
    expect(await wrong("exp of minus", right)).toEqual([]);
  });
});

/** Everything that an engine computes of a map at one number. */
async function jetsAt(engine: Engine, map: PointwiseMap, x: number) {
  const place = (rows: number, lanes: number, value: number) => {
    const m = matrix(engine.tensor(rows * lanes), rows, lanes);
    engine.fill(m, value);
    return m;
  };
  const read = async (m: ReturnType<typeof place>) => {
    const all = new Float64Array(m.tensor.length);
    await engine.read(m.tensor, all);
    return Array.from({ length: m.rows }, (_, r) => [all[r * m.lanes], all[r * m.lanes + 4] ?? 0]);
  };
  const pre = place(1, 8, 1);
  engine.fill(lanesOf(pre, 0, 4), x);
  const forward = place(map.outputs, 8, 0);
  engine.pointwise(map, forward, pre, 4, 1);
  const slopes = place(map.outputs, 4, 0);
  engine.slopes(map, slopes, lanesOf(pre, 0, 4), 1);
  // Cotangents of the tangents alone: the second derivatives, and those by the parameter.
  const outBar = place(map.outputs, 8, 1);
  engine.fill(lanesOf(outBar, 0, 4), 0);
  const preBar = place(1, 8, 0);
  const parameterBar = place(1, 1, 0);
  engine.pointwiseBackward(map, preBar, outBar, pre, 4, 1, parameterBar);
  const values = await read(forward);
  return {
    value: values.map((row) => row[0]),
    first: values.map((row) => row[1]),
    slopes: (await read(slopes)).map((row) => row[0]),
    second: (await read(preBar))[0][0],
    parameter: (await read(parameterBar))[0][0],
  };
}

describe.each(activations.map((map) => [map.name, map] as const))("%s", (_, map) => {
  it.each(engines)("of NaN is NaN, and so are its derivatives, on %s", async (_, engine) => {
    const { value, first, slopes } = await jetsAt(engine, map, Number.NaN);
    for (const x of [...value, ...first, ...slopes]) expect(x).toBeNaN();
    for (const jet of map.jets(numbers, Number.NaN, 1)) {
      expect(jet.first).toBeNaN();
      if (jet.byParameter) expect(jet.byParameter.value).toBeNaN();
    }
  });

  it.each(engines)("of huge and infinite numbers is its limit on %s", async (_, engine) => {
    for (const sign of [1, -1]) {
      // At 1000 all that vanishes has vanished; from there on the map is a line.
      const reached = await jetsAt(engine, map, 1000 * sign);
      for (const size of [1e6, 1e15, 1e19, 1e30, LARGEST, Number.POSITIVE_INFINITY]) {
        const jets = await jetsAt(engine, map, sign * size);
        expect(jets.first).toEqual(reached.first);
        expect(jets.slopes).toEqual(reached.slopes);
        expect(jets.second).toBe(reached.second);
        expect(jets.parameter).toBeCloseTo(0, 30);
        jets.value.forEach((value, o) => {
          const slope = reached.first[o];
          const line = slope === 0 ? reached.value[o] : slope * sign * (size - 1000) + reached.value[o];
          if (Number.isFinite(line)) expect(value / line || 0).toBeCloseTo(line === 0 ? 0 : 1, 5);
          else expect(value).toBe(line);
        });
      }
    }
  });
});

describe.each(engines)("on %s", (_, engine) => {
  const row = (values: number[]) => {
    const m = matrix(engine.tensor(values.length), 1, values.length);
    engine.write(m.tensor, values);
    return m;
  };
  const read = async (m: ReturnType<typeof row>) => {
    const values = new Float64Array(m.tensor.length);
    await engine.read(m.tensor, values);
    return Array.from(values);
  };

  it("the log-density of what is far away is low, and NaN of NaN alone", async () => {
    const z = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e12];
    const logDensity = row([0, 0, 0, 0]);
    engine.gaussianLogDensity(logDensity, row(z));
    const [nan, up, down, far] = await read(logDensity);
    expect(nan).toBeNaN();
    expect([up, down]).toEqual([Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]);
    expect(far / -5e23).toBeCloseTo(1, 6);
  });

  it.each([1, 2, 5, 16])("the logarithm of a determinant that is not positive is NaN, in %d-D", async (d) => {
    // I + J = diag(a, 1, ..., 1, b).
    const ends = [
      [1, 0.5],
      [1, -0.5],
      [0.5, 0],
      [1, Number.NaN],
    ];
    const jet = matrix(engine.tensor(d * 4 * (1 + d)), d, 4 * (1 + d));
    for (let i = 0; i < d; i++) {
      const diagonal = ends.map(([a, b]) => (i === d - 1 ? b : i === 0 ? a : 1) - 1);
      engine.write(jet.tensor, diagonal, i * jet.stride + 4 * (1 + i));
    }
    const logDet = row([0, 0, 0, 0]);
    engine.addLogDet(logDet, jet, 1, 0);
    const [right, ...wrong] = await read(logDet);
    expect(right).toBeCloseTo(Math.log(0.5), 6);
    expect(wrong).toEqual([Number.NaN, Number.NaN, Number.NaN]);
  });

  it("the largest of a sample's numbers is NaN where one is", async () => {
    const x = row([1, 2, 3, 4, Number.NaN, -5, 6, 7]);
    const largest = row([0, 0, 0, 0]);
    engine.sampleMaxima(largest, x);
    expect(await read(largest)).toEqual([Number.NaN, 5, 6, 7]);
  });
});
