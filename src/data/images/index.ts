/** Images from files, in Node; `digits.js` and `image-set.js` work in a browser too. */
export type { ImageData, ImageSet, ImageShape } from "./image-set.js";
export type { ImageSource } from "./image-source.js";
export { openImageData } from "./open-image-data.js";
export {
  holdsImages,
  imageDataNames,
  type OpenImagesOptions,
  openImages,
  whatImagesNeed,
} from "./open-images.js";
