/**
 * The slopes that a block can have in one dimension where its network has the Lipschitz constant L (math.md, "Three
 * formulations of one block"): residual [1 - L, 1 + L], inverse residual [1/(1 + L), 1/(1 - L)],
 * monotone [(1 - L)/(1 + L), (1 + L)/(1 - L)].
 */
export const slopeBounds = {
  residual: (lipschitz: number): readonly [number, number] => [1 - lipschitz, 1 + lipschitz],
  "inverse-residual": (lipschitz: number): readonly [number, number] => [
    1 / (1 + lipschitz),
    1 / (1 - lipschitz),
  ],
  monotone: (lipschitz: number): readonly [number, number] => [
    (1 - lipschitz) / (1 + lipschitz),
    (1 + lipschitz) / (1 - lipschitz),
  ],
};
