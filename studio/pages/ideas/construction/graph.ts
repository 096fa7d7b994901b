/** The graph of a piecewise linear G through knots, kept L-Lipschitz while its knots are dragged. */

/** Places of the knots. */
export const knots = Array.from({ length: 11 }, (_, i) => (i - 5) / 2);

/** The nearest heights with slopes of at most L between neighbours, made from the middle outwards. */
export function kept(heights: readonly number[], L: number): number[] {
  const result = [...heights];
  const middle = (knots.length - 1) / 2;
  const follow = (i: number, from: number) => {
    const reach = L * Math.abs(knots[i] - knots[from]);
    result[i] = Math.min(result[from] + reach, Math.max(result[from] - reach, result[i]));
  };
  for (let i = middle + 1; i < knots.length; i++) follow(i, i - 1);
  for (let i = middle - 1; i >= 0; i--) follow(i, i + 1);
  return result;
}

/**
 * Moves one knot to a height, and the others as far as L asks: to where the cone of slopes +-L at that knot lets them.
 * Of heights that are L-Lipschitz, the result is L-Lipschitz, as the least and the greatest of such functions are.
 */
export function dragged(heights: readonly number[], L: number, knot: number, height: number): number[] {
  return heights.map((own, i) => {
    const reach = L * Math.abs(knots[i] - knots[knot]);
    return Math.min(height + reach, Math.max(height - reach, own));
  });
}

/** The slopes of the pieces. */
export const slopesOf = (heights: readonly number[]) =>
  heights.slice(1).map((height, i) => (height - heights[i]) / (knots[i + 1] - knots[i]));

/** The slope of F over a piece on which G has the slope s. */
export const cayleySlope = (s: number) => (1 - s) / (1 + s);
