/** Nodes and weights of a rule: the integral of f is about the sum of weights[i] * f(nodes[i]). */
export interface Rule {
  readonly nodes: readonly number[];
  readonly weights: readonly number[];
}

/**
 * The Gauss-Legendre rule of `order` points on [a, b], exact for polynomials below degree 2 * order.
 * The nodes are the roots of the Legendre polynomial P_n, found by Newton's method; the weights are
 * 2 / ((1 - z^2) P_n'(z)^2).
 */
export function gaussLegendre(order: number, a: number, b: number): Rule {
  const nodes: number[] = [];
  const weights: number[] = [];
  for (let i = 0; i < order; i++) {
    let z = -Math.cos((Math.PI * (i + 0.75)) / (order + 0.5));
    let slope = 0;
    for (let step = 0; step < 10; step++) {
      // (k + 1) P_{k+1} = (2k + 1) z P_k - k P_{k-1}
      let previous = 0;
      let value = 1;
      for (let k = 0; k < order; k++) {
        [previous, value] = [value, ((2 * k + 1) * z * value - k * previous) / (k + 1)];
      }
      slope = (order * (previous - z * value)) / (1 - z * z);
      z -= value / slope;
    }
    nodes.push((a + b) / 2 + ((b - a) / 2) * z);
    weights.push((b - a) / ((1 - z * z) * slope * slope));
  }
  return { nodes, weights };
}

/** The Gauss-Legendre rule of `order` points on each of the panels between consecutive `breaks`. */
export function panels(order: number, breaks: readonly number[]): Rule {
  const rules = breaks.slice(1).map((end, i) => gaussLegendre(order, breaks[i], end));
  return {
    nodes: rules.flatMap((rule) => rule.nodes),
    weights: rules.flatMap((rule) => rule.weights),
  };
}

/** The ends of `count` intervals of equal length that fill [a, b]: count + 1 numbers. */
export function equalBreaks(a: number, b: number, count: number): number[] {
  return Array.from({ length: count + 1 }, (_, i) => a + ((b - a) * i) / count);
}
