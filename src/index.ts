/** The public surface of monotone-flows. */

export * from "./browser.js";
export {
  type ImageSource,
  imageDataNames,
  type OpenImagesOptions,
  openImageData,
  openImages,
} from "./data/images/index.js";
export { loadFlow, saveFlow } from "./flows/model-files.js";
