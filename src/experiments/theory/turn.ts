/** The plane turned: what takes the graph of G to that of the monotone F, and back. */
export type Turn = (point: readonly [number, number]) => readonly [number, number];

/** Mirrored at the horizontal axis, then turned by an angle in degrees. It undoes itself. */
export const mirroredAndTurned =
  (degrees: number): Turn =>
  ([a, b]) => {
    const [c, s] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
    return [c * a + s * b, s * a - c * b];
  };

export const scaled =
  (factor: number): Turn =>
  ([a, b]) => [factor * a, factor * b];
