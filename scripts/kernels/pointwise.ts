/** Prints the pointwise jet kernels, forward and backward, from the formulas of the activations (math.md, "Jets"). */
import type { PointwiseMap } from "../../src/engine/pointwise.ts";
import { ExpressionGraph, type Node } from "./expressions.ts";

const indent = (lines: readonly string[], by: number) => lines.join(`\n${" ".repeat(by)}`);
const weighted = (weights: readonly string[], names: readonly string[]) =>
  weights
    .slice(1)
    .reduce((sum, w, i) => `fma(${w}, ${names[i + 1]}, ${sum})`, `f32x4.mul(${weights[0]}, ${names[0]})`);

/** `out` = f(pre) in segment 0 and f'(pre) t in the segments of tangents; output o fills the o-th group of rows. */
function forwardKernel(map: PointwiseMap): string {
  const graph = new ExpressionGraph();
  const jets = map.jets(graph, graph.input("x"), graph.input("p"));
  const { statements, names } = graph.print(jets.flatMap((jet) => [jet.value, jet.first]));
  const outputs = jets.map((_, o) => o);
  return `
export function ${map.name}_forward(out: usize, outStride: usize, pre: usize, preStride: usize, channels: i32, batch: i32, tangents: i32, parameter: f32): void {
  const segment = <usize>batch * 4;
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
      let place = l;
      for (let k = 0; k < tangents; k++) {
        place += segment;
        const t = v128.load(pre + place);
        ${indent(
          outputs.map((o) => `v128.store(out + place + ${o} * group, f32x4.mul(${names[2 * o + 1]}, t));`),
          8,
        )}
      }
    }
    out += outStride;
    pre += preStride;
  }
}`;
}

/**
 * preBar = f'(pre) a + sum_k f''(pre) t_k s_k in segment 0 and f'(pre) s_k in the others; adds to
 * parameterBar the sum of df/dp a + sum_k df'/dp t_k s_k.
 */
function backwardKernel(map: PointwiseMap): string {
  const graph = new ExpressionGraph();
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
  return `
export function ${map.name}_backward(preBar: usize, preBarStride: usize, bar: usize, barStride: usize, pre: usize, preStride: usize, channels: i32, batch: i32, tangents: i32, parameter: f32, parameterBar: usize): void {
  const segment = <usize>batch * 4;
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
      let place = l;
      for (let k = 0; k < tangents; k++) {
        place += segment;
        ${indent(loads("s", "place"), 8)}
        v128.store(preBar + place, ${weighted(pick(0), cotangents("s"))});
        ${flat ? "" : `const t = v128.load(pre + place);\n        value = fma(t, ${weighted(pick(1), cotangents("s"))}, value);`}
        ${learned ? `total = fma(t, ${weighted(pick(3), cotangents("s"))}, total);` : ""}
      }
      v128.store(preBar + l, value);
    }
    bar += barStride;
    pre += preStride;
    preBar += preBarStride;
  }
  ${learned ? "store<f32>(parameterBar, load<f32>(parameterBar) + sum(total));" : ""}
}`;
}

/** The source of `kernels/generated/pointwise.ts`. */
export function pointwiseSource(maps: readonly PointwiseMap[]): string {
  return `import { BYTES, choose, exp, fma, splat, sum } from "../simd";
${maps.map((map) => forwardKernel(map) + backwardKernel(map)).join("\n")}
`;
}
