/** Options of a property test: as many runs, always the same ones. */
export const seeded = (numRuns: number) => ({ numRuns, seed: 20_220_613 });
