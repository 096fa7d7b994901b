// Everything that the engine calls.
export { linear, linearTransposed, outer } from "./linear";
export { convolution, convolutionOuter, convolutionTransposed } from "./convolution";
export { winogradPays, winogradScratch } from "./winograd";
export * from "./samples";
export * from "./rows";
export { addLogDet, basisTangents, gatherLanes, logDetCotangent, newtonStep, scatterLanes, solveTransposedLanes } from "./lanewise";
export * from "./generated/pointwise";
export { exponentials, logarithms } from "./elementary";
export { multiplyAddPeak } from "./peak";
