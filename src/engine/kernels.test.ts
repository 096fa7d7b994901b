/** Every kernel of the WebAssembly engine, in both builds, against the reference engine. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../test/support/close.js";
import { seeded } from "../../test/support/property.js";
import { Scene } from "../../test/support/scene.js";
import { activation, activations } from "../activations/index.js";
import { spectralNormBound } from "../networks/matrix-norm-bound.js";
import { type Engine, lanesOf, type Matrix, matrix, newtonStateRows, TAPS } from "./engine.js";
import { numbers, type PointwiseMap } from "./pointwise.js";
import { ReferenceEngine } from "./reference/engine.js";
import { WasmEngine } from "./wasm/engine.js";

const TOLERANCE = 1e-5;

interface Shape {
  rows: number;
  columns: number;
  /** Samples of a jet. */
  batch: number;
  /** Lanes of the jet: batch times one more than its tangents. */
  lanes: number;
}

/** Calls one kernel on matrices of the scene. */
type Case = (scene: Scene, shape: Shape) => void;

const cases: Record<string, Case> = {
  linear(s, { rows, columns, batch, lanes }) {
    const out = s.output(rows, lanes, columns);
    s.engine.linear(out, s.input(rows, columns), s.input(columns, lanes), s.column(rows), batch);
  },
  "linear, accumulating"(s, { rows, columns, lanes }) {
    const out = s.output(rows, lanes, columns);
    s.engine.linear(out, s.input(rows, columns), s.input(columns, lanes), null, 0);
  },
  linearTransposed(s, { rows, columns, lanes }) {
    const out = s.output(columns, lanes, rows);
    s.engine.linearTransposed(out, s.input(rows, columns), s.input(rows, lanes), false);
  },
  "linearTransposed, accumulating"(s, { rows, columns, lanes }) {
    const out = s.output(columns, lanes, rows);
    s.engine.linearTransposed(out, s.input(rows, columns), s.input(rows, lanes), true);
  },
  outer(s, { rows, columns, lanes }) {
    s.engine.outer(s.output(rows, columns, lanes), s.input(rows, lanes), s.input(columns, lanes));
  },
  "applySlopes of one output"(s, { rows, lanes }) {
    s.engine.applySlopes(s.output(rows, lanes), s.input(rows, lanes), s.input(rows, lanes));
  },
  "applySlopes of two outputs"(s, { rows, lanes }) {
    s.engine.applySlopes(s.output(rows, lanes), s.input(2 * rows, lanes), s.input(2 * rows, lanes));
  },
  "combine of one"(s, { rows, lanes }) {
    s.engine.combine(s.output(rows, lanes), s.number(), s.input(rows, lanes));
  },
  "combine of two"(s, { rows, lanes }) {
    const [x, y] = [s.input(rows, lanes), s.input(rows, lanes)];
    s.engine.combine(s.output(rows, lanes), s.number(), x, s.number(), y);
  },
  "combine in place"(s, { rows, lanes }) {
    const out = s.output(rows, lanes);
    s.engine.combine(out, s.number(), out, s.number(), s.input(rows, lanes));
  },
  affine(s, { rows, lanes }) {
    s.engine.affine(s.output(rows, lanes), s.input(rows, lanes), s.column(rows), s.column(rows));
  },
  "rowSums of one"(s, { rows, lanes }) {
    s.engine.rowSums(s.outputColumn(rows, lanes), s.input(rows, lanes), null);
  },
  "rowSums of products"(s, { rows, lanes }) {
    s.engine.rowSums(s.outputColumn(rows, lanes), s.input(rows, lanes), s.input(rows, lanes));
  },
  fill(s, { rows, lanes }) {
    s.engine.fill(s.output(rows, lanes), s.number());
  },
  gaussianLogDensity(s, { rows, lanes }) {
    s.engine.gaussianLogDensity(s.output(1, lanes, rows), s.input(rows, lanes));
  },
};

/** `barLanes` is `lanes`, or `batch` as in the second pass of an implicit gradient. */
function pointwiseBackward(map: PointwiseMap, s: Scene, { rows, batch, lanes }: Shape, barLanes: number) {
  const parameter = Math.fround(0.1 + Math.abs(s.number()));
  const preBar = s.output(rows, barLanes);
  const outBar = s.input(map.outputs * rows, barLanes);
  const parameterBar = s.outputColumn(1, rows * barLanes);
  s.engine.pointwiseBackward(map, preBar, outBar, s.input(rows, lanes), batch, parameter, parameterBar);
}

for (const map of activations) {
  cases[`${map.name} forward`] = (s, { rows, batch, lanes }) => {
    const parameter = Math.fround(0.1 + Math.abs(s.number()));
    s.engine.pointwise(map, s.output(map.outputs * rows, lanes), s.input(rows, lanes), batch, parameter);
  };
  cases[`${map.name} slopes`] = (s, { rows, batch }) => {
    const parameter = Math.fround(0.1 + Math.abs(s.number()));
    s.engine.slopes(map, s.output(map.outputs * rows, batch), s.input(rows, batch), parameter);
  };
  cases[`${map.name} backward`] = (s, shape) => pointwiseBackward(map, s, shape, shape.lanes);
  cases[`${map.name} backward, values alone`] = (s, shape) => pointwiseBackward(map, s, shape, shape.batch);
}

/** The jet of a map with a Jacobian of this norm at every sample. */
function contraction(s: Scene, dim: number, batch: number, norm = 0.9): Matrix {
  const jacobians = Array.from({ length: batch }, () => {
    const j = Float64Array.from({ length: dim * dim }, () => s.number());
    const scale = norm / spectralNormBound(j, dim, dim);
    return j.map((x) => scale * x);
  });
  return s.input(dim, batch * (1 + dim), (i, lane) => {
    const k = Math.floor(lane / batch) - 1;
    return k < 0 ? s.number() : jacobians[lane % batch][i * dim + k];
  });
}

/** Kernels on the small square matrix of each sample; `rows` is the dimension. */
const lanewise: Record<string, Case> = {
  basisTangents(s, { rows, batch }) {
    s.engine.basisTangents(s.output(rows, batch * (1 + rows)), batch);
  },
};
for (const [plus, minus] of [
  [1, 0],
  [0, 1],
  [-1, 1],
  [0.5, 0.25],
]) {
  lanewise[`addLogDet of ${plus} and ${minus}`] = (s, { rows, batch }) => {
    s.engine.addLogDet(s.output(1, batch, rows), contraction(s, rows, batch), plus, minus);
  };
  lanewise[`logDetCotangent of ${plus} and ${minus}`] = (s, { rows, batch }) => {
    const jet = contraction(s, rows, batch);
    s.engine.logDetCotangent(s.output(rows, jet.lanes), s.input(1, batch), jet, plus, minus);
  };
}
for (const sign of [1, -1] as const) {
  lanewise[`solveTransposed with ${sign}`] = (s, { rows, batch }) => {
    const jet = contraction(s, rows, batch);
    s.engine.solveTransposed(s.output(rows, batch), s.input(rows, batch), jet, sign);
  };
  lanewise[`newtonStep with ${sign}, five times`] = (s, { rows, batch }) => {
    const [w, target, state] = [
      s.output(rows, batch),
      s.input(rows, batch),
      s.output(newtonStateRows(rows), batch),
    ];
    const open = s.engine.tensor(batch);
    // The jets have nothing to do with w, so by chance trials are accepted, halved, or left to the fixed point.
    for (let n = 0; n < 5; n++) {
      s.engine.newtonStep(
        w,
        target,
        contraction(s, rows, batch),
        state,
        open,
        sign,
        0.3,
        n === 0 ? "first" : "next",
      );
    }
  };
}
lanewise["gatherLanes and scatterLanes of what newtonStep leaves open"] = (s, { rows, batch }) => {
  const all = 3 * batch;
  const w = s.output(rows, all);
  s.engine.combine(
    w,
    1,
    s.input(rows, all, (_, l) => l),
  );
  // With G = 0 the residual is w - target, which is 0 for every third sample.
  const target = s.input(rows, all, (_, l) => (l % 3 === 0 ? l : l + 0.5));
  const jet = s.input(rows, all * (1 + rows), () => 0);
  const open = s.engine.tensor(all);
  s.engine.newtonStep(w, target, jet, s.output(newtonStateRows(rows), all), open, 1, 1e-6, "first");
  const few = s.output(rows, 2 * 2 * batch);
  s.engine.gatherLanes(few, 2 * batch, s.input(rows, 2 * all), all, open);
  s.engine.scatterLanes(s.output(rows, 2 * all), all, few, 2 * batch, open);
};

/** Kernels on images: `segments` times height x width pixels of so many samples. */
interface ImageShape {
  rows: number;
  columns: number;
  height: number;
  width: number;
  samples: number;
  segments: number;
}
const images: Record<string, (s: Scene, shape: ImageShape) => void> = {
  convolution(s, { rows, columns, segments, ...grid }) {
    const batch = grid.height * grid.width * grid.samples;
    const lanes = batch * segments;
    const out = s.output(rows, lanes, TAPS * columns);
    const weight = s.input(rows, TAPS * columns);
    s.engine.convolution(out, weight, s.input(columns, lanes), s.column(rows), grid, batch);
  },
  convolutionOuter(s, { rows, columns, segments, ...grid }) {
    const batch = grid.height * grid.width * grid.samples;
    const lanes = batch * segments;
    const out = s.output(rows, TAPS * columns, lanes);
    s.engine.convolutionOuter(out, s.input(rows, lanes), s.input(columns, lanes), grid, batch);
  },
  sampleDots(s, { rows, height, width, samples }) {
    const lanes = height * width * samples;
    const out = s.output(1, samples, (rows * lanes) / samples);
    s.engine.sampleDots(out, s.input(rows, lanes), s.input(rows, lanes));
  },
  sampleMaxima(s, { rows, height, width, samples }) {
    s.engine.sampleMaxima(s.output(1, samples), s.input(rows, height * width * samples));
  },
};
for (const accumulate of [false, true]) {
  const name = accumulate ? ", accumulating" : "";
  images[`convolutionTransposed${name}`] = (s, { rows, columns, segments, ...grid }) => {
    const batch = grid.height * grid.width * grid.samples;
    const lanes = batch * segments;
    const out = s.output(columns, lanes, TAPS * rows);
    const weight = s.input(rows, TAPS * columns);
    s.engine.convolutionTransposed(out, weight, s.input(rows, lanes), accumulate, grid, batch);
  };
  images[`scaleSamples${name}`] = (s, { rows, height, width, samples }) => {
    const lanes = height * width * samples;
    const scale = s.input(1, samples, (_, l) => (l === 1 ? 0 : s.number()));
    const x = s.input(rows, lanes, (_, l) => (l % samples === 1 ? Number.NaN : s.number()));
    s.engine.scaleSamples(s.output(rows, lanes), scale, x, accumulate);
  };
}

const builds = await Promise.all([WasmEngine.create(), WasmEngine.create({ relaxed: false })]);
const nameOf = (engine: WasmEngine) => (engine.relaxed ? "the build with relaxed SIMD" : "the plain build");

async function outcomes<S>(engine: Engine, run: (scene: Scene, shape: S) => void, seed: number, shape: S) {
  const scene = new Scene(engine, seed);
  run(scene, shape);
  return scene.outcomes();
}

async function expectSame<S>(run: (scene: Scene, shape: S) => void, seed: number, shape: S): Promise<void> {
  const expected = await outcomes(new ReferenceEngine(), run, seed, shape);
  for (const engine of builds) {
    const actual = await outcomes(engine, run, seed, shape);
    expected.forEach(({ values, terms }, i) => {
      const what = `matrix ${i} of ${nameOf(engine)}`;
      expect(actual[i].untouched, `the numbers around ${what} are as before`).toBe(true);
      // A sum of random terms, and its rounding, grow as the root of their number.
      expectClose(actual[i].values, values, TOLERANCE, what, Math.sqrt(Math.max(1, terms)));
    });
  }
}

const seeds = fc.nat(1_000_000);
const sizes = fc.integer({ min: 1, max: 13 });
const batches = (vectors: number) => fc.integer({ min: 1, max: vectors }).map((n) => 4 * n);

const jets = fc
  .record({ rows: sizes, columns: sizes, batch: batches(30), tangents: fc.nat(3) })
  .map(({ tangents, ...shape }): Shape => ({ ...shape, lanes: shape.batch * (1 + tangents) }));

it.each(Object.entries(cases))("both builds compute what the reference computes: %s", async (_, run) => {
  await fc.assert(
    fc.asyncProperty(seeds, jets, (seed, shape) => expectSame(run, seed, shape)),
    seeded(20),
  );
});

it.each(Object.entries(lanewise))("both builds solve what the reference solves: %s", async (_, run) => {
  await fc.assert(
    fc.asyncProperty(seeds, fc.constantFrom(1, 2, 3, 5, 16), batches(8), (seed, rows, batch) =>
      expectSame(run, seed, { rows, columns: rows, batch, lanes: batch }),
    ),
    seeded(15),
  );
});

const pictures = fc.record({
  rows: sizes,
  columns: sizes,
  height: fc.integer({ min: 1, max: 10 }),
  width: fc.integer({ min: 1, max: 11 }),
  samples: fc.constantFrom(4, 8, 20),
  segments: fc.integer({ min: 1, max: 3 }),
});

it.each(Object.entries(images))("both builds do with images what the reference does: %s", async (_, run) => {
  await fc.assert(
    fc.asyncProperty(seeds, pictures, (seed, shape) => expectSame(run, seed, shape)),
    seeded(25),
  );
});

/** Channels, pixels of a row and samples that take several turns each, by tiles and without. */
const large: ImageShape[] = [
  { rows: 65, columns: 70, height: 9, width: 10, samples: 8, segments: 2 },
  { rows: 2, columns: 3, height: 4, width: 5, samples: 388, segments: 2 },
  { rows: 7, columns: 90, height: 2, width: 5, samples: 8, segments: 2 },
  { rows: 3, columns: 2, height: 2, width: 49, samples: 20, segments: 2 },
];

it.each(Object.entries(images))(
  "both builds do with images that come in several turns what the reference does: %s",
  async (_, run) => {
    for (const shape of large) await expectSame(run, 16, shape);
  },
);

it.each(["linear", "linearTransposed", "outer"])(
  "both builds compute with many rows and columns what the reference computes: %s",
  async (name) => {
    await expectSame(cases[name], 17, { rows: 33, columns: 200, batch: 44, lanes: 88 });
    await expectSame(cases[name], 18, { rows: 200, columns: 33, batch: 44, lanes: 88 });
  },
);

it.each(Object.entries(images).filter(([name]) => name.startsWith("convolution")))(
  "keep to their scratch memory, whatever it holds: %s",
  async (_, run) => {
    const shapes = [32, 33, 70].flatMap((most) =>
      [1, 3, most].flatMap((least) => [
        { rows: least, columns: most },
        { rows: most, columns: least },
      ]),
    );
    for (const channels of shapes) {
      const shape = { ...channels, height: 5, width: 6, samples: 8, segments: 1 };
      const engine = await WasmEngine.create();
      const { start } = engine.tensor(1);
      run(new Scene(engine, 1), shape);
      // The scratch memory was the last that was made; other matrices come right after it.
      const length = engine.tensor(0).start - start;
      engine.write({ start, length }, new Float32Array(length).fill(Number.NaN));
      const scene = new Scene(engine, 2);
      scene.input(1, 4096);
      run(scene, shape);
      for (const { values, untouched } of await scene.outcomes()) {
        expect(untouched).toBe(true);
        expect(values.every(Number.isFinite)).toBe(true);
      }
    }
  },
);

/**
 * Where the reference has NaN because one of the inputs holds one, both builds have it; they may have it in more places
 * of the same lanes (a tile's, a matrix's), and those of other samples are as they were.
 */
async function expectNaNStays<S>(
  run: (scene: Scene, shape: S) => void,
  seed: number,
  shape: S,
  samples: number,
) {
  const before = new Scene(new ReferenceEngine(), seed);
  run(before, shape);
  for (let input = 0; input < before.inputs; input++) {
    const planted = { input, share: ((seed + 0.5) * 0.618034 * (input + 1)) % 1 };
    const scenes = [new ReferenceEngine(), ...builds].map((engine) => new Scene(engine, seed, planted));
    for (const scene of scenes) run(scene, shape);
    const [expected, ...actual] = await Promise.all(scenes.map((scene) => scene.outcomes()));
    expected.forEach(({ values, lanes }, i) => {
      const touched = new Set<number>();
      const sample = (n: number) => (lanes % samples === 0 ? (n % lanes) % samples : 0);
      values.forEach((x, n) => {
        if (Number.isNaN(x)) touched.add(sample(n));
      });
      for (const [b, outcomes] of actual.entries()) {
        const missing = values.findIndex((x, n) => Number.isNaN(x) && !Number.isNaN(outcomes[i].values[n]));
        expect(missing, `a number of matrix ${i} of ${nameOf(builds[b])} that input ${input} made NaN`).toBe(
          -1,
        );
        const spread = values.findIndex(
          (_, n) => Number.isNaN(outcomes[i].values[n]) && !touched.has(sample(n)),
        );
        expect(spread, `a NaN of matrix ${i} of ${nameOf(builds[b])} in another lane`).toBe(-1);
      }
    });
  }
}

// The second derivative of a map of straight lines is left out, and so are tangents where it would multiply them.
const bent = Object.entries(cases).filter(([name]) => !/^C?ReLU backward$/.test(name));

it.each(bent)("keep NaN: %s", async (_, run) => {
  for (const seed of [1, 2]) {
    await expectNaNStays(run, seed, { rows: 3, columns: 5, batch: 8, lanes: 24 }, 8);
  }
});

it.each(Object.entries(lanewise))("keep NaN: %s", async (_, run) => {
  for (const rows of [1, 2, 5]) {
    await expectNaNStays(run, rows, { rows, columns: rows, batch: 8, lanes: 8 }, 8);
  }
});

it.each(Object.entries(images).filter(([name]) => !name.startsWith("scaleSamples")))(
  "keep NaN: %s",
  async (_, run) => {
    for (const [height, width] of [
      [2, 3],
      [5, 6],
    ]) {
      await expectNaNStays(run, height, { rows: 5, columns: 3, height, width, samples: 4, segments: 2 }, 4);
    }
  },
);

it("are the fused build and the plain one", () => {
  expect(builds.map(({ relaxed }) => relaxed)).toEqual([true, false]);
});

describe.each(builds.map((engine) => [nameOf(engine), engine] as const))("%s", (_, engine) => {
  it("goes by tiles where these take less than three quarters of the products", () => {
    const taps = (side: number) => 3 * side - 2;
    for (let height = 1; height <= 40; height++) {
      for (let width = 1; width <= 40; width++) {
        const byTiles = 36 * Math.ceil(height / 4) * Math.ceil(width / 4);
        const pays = byTiles < 0.75 * taps(height) * taps(width);
        expect(engine.goesByTiles({ height, width }), `${height} x ${width}`).toBe(pays);
      }
    }
  });

  it("sums up all that its loop of multiply-adds has computed", () => {
    // Twelve vectors of 0, 1, ..., 11; each turn takes s to 0.999 s + 0.001.
    let expected = 4 * 66;
    for (const turns of [0, 1, 2]) {
      expect(engine.multiplyAddPeak(turns)).toBeCloseTo(expected, 3);
      expected = 0.999 * expected + 0.048;
    }
  });

  it("reports the largest residual and the lanes above the tolerance", async () => {
    const shape = { rows: 3, columns: 3, batch: 88, lanes: 88 };
    const [expected, actual] = await Promise.all(
      [new ReferenceEngine(), engine].map((each) => {
        lanewise["newtonStep with 1, five times"](new Scene(each, 7), shape);
        return each.newtonStatus();
      }),
    );
    expect(expected.open).toBeGreaterThan(0);
    expect(expected.open).toBeLessThan(shape.batch);
    expect(actual.open).toBe(expected.open);
    expect(actual.residual).toBeCloseTo(expected.residual, 5);
    expect(expected.doneResidual).toBeGreaterThan(0);
    expect(actual.doneResidual).toBeCloseTo(expected.doneResidual, 5);
  });

  it("counts a sample whose residual is not a number as open", async () => {
    for (const each of [new ReferenceEngine(), engine]) {
      const zeros = (rows: number, lanes: number) => matrix(each.tensor(rows * lanes), rows, lanes);
      const w = zeros(2, 8);
      each.write(w.tensor, [Number.NaN], 3);
      each.newtonStep(w, zeros(2, 8), zeros(2, 24), zeros(10, 8), each.tensor(8), 1, 0.1, "first");
      expect(await each.newtonStatus()).toEqual({
        residual: Number.NaN,
        open: 1,
        doneResidual: 0,
        givenUp: 0,
      });
    }
  });

  /** Values and slopes of a map on an even grid, from the engine and in float64 at the same float32 points. */
  async function sweep(map: PointwiseMap, from: number, to: number, points = 20_000) {
    const x = Float32Array.from({ length: points }, (_, i) => from + ((to - from) * i) / (points - 1));
    const pre = matrix(engine.tensor(2 * points), 1, 2 * points);
    engine.write(pre.tensor, x);
    engine.fill(lanesOf(pre, points, points), 1);
    const out = matrix(engine.tensor(map.outputs * 2 * points), map.outputs, 2 * points);
    engine.pointwise(map, out, pre, points, 1);
    const actual = new Float64Array(out.rows * out.lanes);
    await engine.read(out.tensor, actual);
    return Array.from(x).flatMap((point, i) =>
      map.jets(numbers, point, 1).map((expected, o) => ({
        point,
        expected,
        value: actual[o * out.lanes + i],
        slope: actual[o * out.lanes + points + i],
      })),
    );
  }

  const largest = (errors: number[]) => errors.reduce((a, b) => Math.max(a, Math.abs(b)), 0);

  it("has an exponential, here the slope of ELU, of relative error below 2e-7", async () => {
    const points = await sweep(activation("ELU"), -86, -1e-3);
    expect(largest(points.map(({ slope, expected }) => slope / expected.first - 1))).toBeLessThan(2e-7);
  });

  it.each(["CPila", "CLipSwish", "ELU", "tanh"])("has the values and slopes of %s to 1e-6", async (name) => {
    for (const range of [3, 30, 300]) {
      const points = await sweep(activation(name), -range, range);
      const relative = points.map((p) => (p.value - p.expected.value) / Math.max(1, Math.abs(p.point)));
      expect(largest(relative)).toBeLessThan(1e-6);
      expect(largest(points.map((p) => p.slope - p.expected.first))).toBeLessThan(1e-6);
    }
  });
});

describe.each(["relaxed", "simd"])("close to singular matrices on the %s build", (build) => {
  it("keeps log det where the determinant itself would vanish", async () => {
    const wasm = await WasmEngine.create({ relaxed: build === "relaxed" });
    const d = 16;
    const length = 1 - 2 ** -12;
    const jet = matrix(wasm.tensor(d * (1 + d) * 4), d, (1 + d) * 4);
    for (let i = 0; i < d; i++) {
      wasm.write(jet.tensor, new Array(4).fill(-length), i * jet.stride + (1 + i) * 4);
    }
    const logDet = matrix(wasm.tensor(4), 1, 4);
    wasm.addLogDet(logDet, jet, 1, 0);
    const values = new Float64Array(4);
    await wasm.read(logDet.tensor, values);
    for (const value of values) expect(value).toBeCloseTo(-12 * 16 * Math.LN2, 3);
  });
});
