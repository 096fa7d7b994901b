export { LearnedNoise } from "./learned-noise.js";
export { Logit, type PixelRange } from "./logit.js";
export { type Preprocessing, Rows } from "./preprocessing.js";
export { Standardisation } from "./standardisation.js";
