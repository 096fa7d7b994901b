/** Every kernel of the WebAssembly engine, in both builds, against the reference engine. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../test/support/close.js";
import { seeded } from "../../test/support/property.js";
import { Scene } from "../../test/support/scene.js";
import { activations } from "../activations/index.js";
import { spectralNormBound } from "../networks/spectral-norm.js";
import { type Engine, type Matrix, matrix } from "./engine.js";
import type { PointwiseMap } from "./pointwise.js";
import { numbers } from "./pointwise.js";
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
    s.engine.basisTangents(tangentsOf(s.output(rows, batch * (1 + rows)), batch), batch);
  },
};
