/** Prints the pointwise kernels, jets forward and backward and slopes, from the formulas of the activations (math.md, "Jets"). */
import type { PointwiseMap } from "../../src/engine/pointwise.ts";
import { ExpressionGraph, type Node } from "./expressions.ts";

const range = (n: number) => Array.from({ length: n }, (_, i) => i);
const indent = (lines: readonly string[], by: number) =>
  lines.filter((line) => line !== "").join(`\n${" ".repeat(by)}`);
const weighted = (weights: readonly string[], names: readonly string[]) =>
  weights
    .slice(1)
    .reduce((sum, w, i) => `fma(${w}, ${names[i + 1]}, ${sum})`, `f32x4.mul(${weights[0]}, ${names[0]})`);

/** So many tangents have kernels of their own, without a loop over them; more take a loop. */
const UNROLLED = 3;

/**
 * A kernel for any number of tangents: one function for each number below UNROLLED, one with a loop, and the
 * exported one that chooses. `body` prints a function's body, given the text for "once for each tangent",
 * which it applies to the statements for the tangent whose segment begins `place` bytes after the values.
 */
function variants(
  name: string,
  parameters: readonly string[],
  body: (eachTangent: (statements: (place: string, k: string) => readonly string[]) => string[]) => string,
): string {
  const names = parameters.map((p) => p.split(":")[0]).join(", ");
  const unrolled = range(UNROLLED).map(
    (tangents) => `
function ${name}${tangents}(${parameters.join(", ")}): void {
  ${body((statements) =>
    range(tangents).flatMap((k) => [
      `const place${k} = ${k === 0 ? "l" : `place${k - 1}`} + segment;`,
      ...statements(`place${k}`, `${k}`),
    ]),
  )}
}`,
  );
  const looped = `
function ${name}Many(tangents: i32, ${parameters.join(", ")}): void {
  ${body((statements) => [
    "let place = l;",
    "for (let k = 0; k < tangents; k++) {",
    "  place += segment;",
    ...statements("place", "").map((line) => `  ${line}`),
    "}",
  ])}
}`;
  return `${unrolled.join("\n")}
${looped}

export function ${name}(tangents: i32, ${parameters.join(", ")}): void {
  ${range(UNROLLED)
    .map((k) => `if (tangents == ${k}) ${name}${k}(${names});`)
    .join("\n  else ")}
  else ${name}Many(tangents, ${names});
}`;
}

/** `out` = f(pre) in segment 0 and f'(pre) t in the segments of tangents; output o fills the o-th group of rows. */
function forwardKernel(map: PointwiseMap, graph: ExpressionGraph): string {
  const jets = map.jets(graph, graph.input("x"), graph.input("p"));
  const { statements, names } = graph.print(jets.flatMap((jet) => [jet.value, jet.first]));
  const outputs = jets.map((_, o) => o);
  return variants(
    `${map.name}_forward`,
    [
      ...["out: usize", "outStride: usize", "pre: usize", "preStride: usize"],
      ...["channels: i32", "batch: i32", "parameter: f32"],
    ],
    (eachTangent) => `const segment = <usize>batch * 4;
  const p = splat(parameter);
  const group = channels * outStride;
  for (let c = 0; c < channels; c++) {
    for (let l: usize = 0; l < segment; l += BYTES) {
      const x = v128.load(pre + l);
      ${indent(statements, 6)}
      ${indent(
        outputs.map((o) => `v128.store(out + l + ${o} * group, ${names[2 * o]});`),
        6,
      )}
      ${indent(
        eachTangent((place, k) => [
          `const t${k} = v128.load(pre + ${place});`,
          ...outputs.map(
            (o) => `v128.store(out + ${place} + ${o} * group, f32x4.mul(${names[2 * o + 1]}, t${k}));`,
          ),
        ]),
        6,
      )}
    }
    out += outStride;
    pre += preStride;
  }`,
  );
}

/**
 * preBar = f'(pre) a + sum_k f''(pre) t_k s_k in segment 0 and f'(pre) s_k in the others; adds to
 * parameterBar the sum of df/dp a + sum_k df'/dp t_k s_k.
 */
function backwardKernel(map: PointwiseMap, graph: ExpressionGraph): string {
  const jets = map.jets(graph, graph.input("x"), graph.input("p"));
  const learned = jets.some((jet) => jet.byParameter);
  const wanted: Node[] = jets.flatMap((jet) => [
    jet.first,
    jet.second,
    ...(jet.byParameter ? [jet.byParameter.value, jet.byParameter.first] : []),
  ]);
  const { statements, names } = graph.print(wanted);
  const pick = (offset: number) => jets.map((_, o) => names[(learned ? 4 : 2) * o + offset]);
  const flat = pick(1).every((name) => name === "splat(0)"); // piecewise linear: no second derivative
  const loads = (prefix: string, place: string) =>
    jets.map((_, o) => `const ${prefix}${o} = v128.load(bar + ${place} + ${o} * group);`);
  const cotangents = (prefix: string) => jets.map((_, o) => `${prefix}${o}`);
  return variants(
    `${map.name}_backward`,
    [
      ...["preBar: usize", "preBarStride: usize", "bar: usize", "barStride: usize", "pre: usize"],
      ...["preStride: usize", "channels: i32", "batch: i32", "parameter: f32", "parameterBar: usize"],
    ],
    (eachTangent) => `const segment = <usize>batch * 4;
  const p = splat(parameter);
  const group = channels * barStride;
  ${learned ? "let total = splat(0);" : ""}
  for (let c = 0; c < channels; c++) {
    for (let l: usize = 0; l < segment; l += BYTES) {
      const x = v128.load(pre + l);
      ${indent(statements, 6)}
      ${indent(loads("a", "l"), 6)}
      let value = ${weighted(pick(0), cotangents("a"))};
      ${learned ? `total = f32x4.add(total, ${weighted(pick(2), cotangents("a"))});` : ""}
      ${indent(
        eachTangent((place, k) => [
          ...loads(`s${k}_`, place),
          `v128.store(preBar + ${place}, ${weighted(pick(0), cotangents(`s${k}_`))});`,
          flat && !learned ? "" : `const t${k} = v128.load(pre + ${place});`,
          flat ? "" : `value = fma(t${k}, ${weighted(pick(1), cotangents(`s${k}_`))}, value);`,
          learned ? `total = fma(t${k}, ${weighted(pick(3), cotangents(`s${k}_`))}, total);` : "",
        ]),
        6,
      )}
      v128.store(preBar + l, value);
    }
    bar += barStride;
    pre += preStride;
    preBar += preBarStride;
  }
  ${learned ? "store<f32>(parameterBar, load<f32>(parameterBar) + sum(total));" : ""}`,
  );
}

/** `out` = f'(pre); output o fills the o-th group of rows. */
function slopesKernel(map: PointwiseMap, graph: ExpressionGraph): string {
  const jets = map.jets(graph, graph.input("x"), graph.input("p"));
  const { statements, names } = graph.print(jets.map((jet) => jet.first));
  return `
export function ${map.name}_slopes(out: usize, outStride: usize, pre: usize, preStride: usize, channels: i32, lanes: i32, parameter: f32): void {
  const end = <usize>lanes * 4;
  const p = splat(parameter);
  const group = channels * outStride;
  for (let c = 0; c < channels; c++) {
    for (let l: usize = 0; l < end; l += BYTES) {
      const x = v128.load(pre + l);
      ${indent(statements, 6)}
      ${indent(
        names.map((name, o) => `v128.store(out + l + ${o} * group, ${name});`),
        6,
      )}
    }
    out += outStride;
    pre += preStride;
  }
}`;
}

/** The kernels of a map, and the table of its constants. */
function kernels(map: PointwiseMap): string {
  const table = `${map.name}_constants`;
  const graph = new ExpressionGraph(table);
  const text = forwardKernel(map, graph) + backwardKernel(map, graph) + slopesKernel(map, graph);
  const constants = graph.constants.map((c) => (Object.is(c, -0) ? "-0.0" : `${c}`));
  return `
const ${table} = memory.data<f32>([${constants.join(", ")}], 16);
${text}`;
}

/** The source of `kernels/generated/pointwise.ts`. */
export function pointwiseSource(maps: readonly PointwiseMap[]): string {
  return `import {
  BYTES, choose, expClamp, expEven, expLower, expOdd, expRaise, expRemainder, expScale, fma, negativeFma, repeated, splat, sum,
} from "../simd";
${maps.map(kernels).join("\n")}
`;
}
