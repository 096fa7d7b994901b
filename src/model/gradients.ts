/**
 * Gradients on their way from the engine to the parameters. What `prepare` sends to the engine, normalised weights say,
 * is a function of the parameters: backward passes leave its gradient there, which is taken, summed over passes and ranks
 * where there are several, and pulled back through that function once.
 */
export interface GradientSource {
  /** Numbers of the gradient that backward passes leave behind. */
  readonly gradientLength: number;
  /** Moves that gradient to `out`: none is left behind. */
  takeGradient(out: Float64Array): Promise<void>;
  /** Adds to the parameters' gradients what such a gradient comes to, with the parameters as `prepare` found them. */
  pullBack(gradient: Float64Array): void;
}

/** Adds what backward passes have left behind to the parameters' gradients. */
export async function collectGradient(source: GradientSource): Promise<void> {
  const gradient = new Float64Array(source.gradientLength);
  await source.takeGradient(gradient);
  source.pullBack(gradient);
}

/** Lets go of what backward passes have left behind: it belongs to no step of training. */
export async function discardGradient(source: GradientSource): Promise<void> {
  await source.takeGradient(new Float64Array(source.gradientLength));
}

/** Several sources as one: their gradients one after the other. */
export function joint(sources: readonly GradientSource[]): GradientSource {
  let gradientLength = 0;
  const parts = sources.map((source) => {
    const start = gradientLength;
    gradientLength += source.gradientLength;
    return {
      source,
      part: (gradient: Float64Array) => gradient.subarray(start, start + source.gradientLength),
    };
  });
  return {
    gradientLength,
    async takeGradient(out) {
      for (const { source, part } of parts) await source.takeGradient(part(out));
    },
    pullBack(gradient) {
      for (const { source, part } of parts) source.pullBack(part(gradient));
    },
  };
}
