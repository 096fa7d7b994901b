/** G(x) = a x: x + G(x) = (1 + a) x has the inverse x / (1 + a) for every a but -1, whether G is a contraction or not. */

/** G, x + G(x) and its inverse, which is nowhere finite where a = -1. */
export function linearResidual(a: number) {
  return {
    g: (x: number) => a * x,
    f: (x: number) => x + a * x,
    inverse: (y: number) => y / (1 + a),
  };
}

/** The guesses of the fixed point iteration x <- y - G(x), which inverts x + G(x) for a contraction, from x = y on. */
export function fixedPointGuesses(a: number, y: number, steps: number): number[] {
  const guesses = [y];
  for (let step = 0; step < steps; step++) guesses.push(y - a * guesses[step]);
  return guesses;
}
