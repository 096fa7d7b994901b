export { type CurveFigure, curveFigure, type Series, smooth } from "./curve.js";
export { type DensityFigure, type DensityPanel, densityFigure } from "./density.js";
export { type MarginalsFigure, marginalsFigure } from "./marginals.js";
export type { Picture } from "./picture.js";
export { renderPng, writePicture } from "./png.js";
export type { Extent } from "./raster.js";
