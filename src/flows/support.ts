/** Beyond this the squares of latents leave float32, and densities are below e^-1e35. */
export const FARTHEST = 1e18;

/** Whether a number that goes into a chain belongs to the support of the density: elsewhere log p is -Infinity. */
export const supported = (y: number) => Math.abs(y) <= FARTHEST;
